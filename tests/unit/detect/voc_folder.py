"""A tiny folder in the form of Pascal VOC, drawn by the tests."""

import numpy
from PIL import Image

OBJECT = """<object><name>{name}</name><difficult>{difficult}</difficult><bndbox><xmin>{0}</xmin>
<ymin>{1}</ymin><xmax>{2}</xmax><ymax>{3}</ymax></bndbox></object>"""


def annotation(*objects, size=(64, 48)):
    """Return the text of an annotation; an object is (name, corners) or (name, corners, 1)."""
    texts = [
        OBJECT.format(*corners, name=name, difficult=(*difficult, 0)[0])
        for name, corners, *difficult in objects
    ]
    width, height = size
    return (
        f"<annotation><size><width>{width}</width><height>{height}</height></size>"
        f"{''.join(texts)}</annotation>"
    )


def write_voc(folder, images, **splits):
    """Write a folder.

    Args:
        folder: Where.
        images: The text of the annotation of each image by its name.
        **splits: The text of each split file.
    """
    for name in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for seed, (name, text) in enumerate(images.items()):
        pixels = numpy.random.default_rng(seed).integers(0, 255, (48, 64, 3), dtype=numpy.uint8)
        Image.fromarray(pixels).save(folder / "JPEGImages" / f"{name}.jpg")
        (folder / "Annotations" / f"{name}.xml").write_text(text)
    for name, text in splits.items():
        (folder / "ImageSets" / "Main" / f"{name}.txt").write_bytes(text.encode())
    return folder


def small_voc(folder):
    """Write four training and two test images of two classes."""
    cat, dog = ("cat", (1, 1, 32, 24)), ("dog", (20, 10, 64, 48))
    images = {
        "a": annotation(cat, dog),
        "b": annotation(cat),
        "c": annotation(dog, ("cat", (5, 5, 20, 20), 1)),
        "d": annotation(),
        "e": annotation(cat, dog),
        "f": annotation(dog),
    }
    return write_voc(folder, images, trainval="a\nb\nc\nd\n", test="e\nf\n")
