"""What a user does wrong is one clear line on stderr, exit code 2, and nothing left behind."""

import shutil
import socket

import pytest
from PIL import Image

from nas.cli.search import main
from tests.e2e.runs import flags


@pytest.fixture
def folder(tmp_path):
    """A small image folder of two classes, train and test."""
    root = tmp_path / "images"
    for split in ("train", "test"):
        for name in ("cat", "dog"):
            (root / split / name).mkdir(parents=True)
            for index in range(12):
                image = Image.new("RGB", (16, 16), (index * 20, 0, 90 if name == "cat" else 0))
                image.save(root / split / name / f"{index}.png")
    return root


def refused(capsys, out, argv):
    """Run the program, check the manners of its refusal, and return what it said."""
    code = main(argv)
    stderr = capsys.readouterr().err
    lines = [line for line in stderr.splitlines() if line.strip()]
    assert code == 2, stderr
    assert len(lines) == 1 and lines[0].startswith("search.py: error: "), stderr
    assert not out.exists()
    return lines[0]


CASES = {
    "space": (["--space=dartz"], "did you mean 'darts'"),
    "operator": (["--space=darts+sandglas_3x3"], "did you mean 'sandglass_3x3'"),
    "flag": (["--epoch=3"], "'--epochs'"),
    "type": (["--epochs=many"], "--epochs: expected a whole number"),
    "range": (["--batch_size=0"], "--batch_size"),
    "data set": (["--dataset=cifar"], "did you mean 'cifar10' or 'cifar100'"),
    "plug-in": (["--plugins=no_such_module_abc"], "no_such_module_abc"),
    "too many images": (["--max_images=999999"], "--max_images"),
    "batch": (["--batch_size=30"], "--batch_size: found 30"),
    "micro-batch": (["--micro_batch=3"], "--micro_batch: found 3, which does not divide"),
    "exact second order": (
        ["--order=second_order_exact"],
        "--order: expected 'first_order' or 'second_order'",
    ),
    "precision of the difference": (
        ["--precision=bf16", "--order=second_order"],
        "--precision: found bf16, but second_order needs fp32",
    ),
    "precision of the device": (["--precision=fp16", "--device=cpu"], "needs a GPU"),
    "image size": (["--dataset=imagefolder", "--data=/nowhere"], "--image_size"),
    "data folder": (
        ["--dataset=imagefolder", "--data=/nowhere", "--image_size=16"],
        "there is no folder",
    ),
    "device": (["--device=cuda"], "torch finds no GPU"),
    "no files": (
        ["--skip_corrupt"],
        "--skip_corrupt has an effect only with",
    ),
    "order": (["--xi=0.1"], "--order second_order"),
}


@pytest.mark.parametrize("case", CASES)
def test_settings(tmp_path, capsys, case, monkeypatch):
    """Unknown names come with close matches; numbers with what is allowed."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    arguments, message = CASES[case]
    names = {argument.split("=")[0] for argument in arguments}
    defaults = [flag for flag in flags(out=tmp_path / "run") if flag.split("=")[0] not in names]
    assert message in refused(capsys, tmp_path / "run", [*defaults, *arguments])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("primitive: [skip_connect]", "unknown key 'primitive'; did you mean 'primitives'?"),
        ("primitives: skip_connect", "primitives: expected a list"),
        ("primitives: [skip_connect", "not valid YAML"),
        ("primitives: [skip_connect]\nplugins: [broken.py]", "SyntaxError"),
        ("primitives: [skip_connect]\nplugins: [taken.py]", "already registered"),
    ],
)
def test_space_files(tmp_path, capsys, text, message):
    """The file is named, and the key or line in it."""
    (tmp_path / "broken.py").write_text("def oops(:")
    (tmp_path / "taken.py").write_text(
        "from nas.operators import register_operator\n"
        "register_operator('none')(lambda channels, stride, *, affine: None)\n"
    )
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    out = tmp_path / "run"
    said = refused(capsys, out, flags(out=out, space=path))
    assert message in said and (".py" in said or "mine.yaml" in said)


def no_train(root):
    shutil.rmtree(root / "train")


def empty_class(root):
    shutil.rmtree(root / "train" / "cat")
    (root / "train" / "cat").mkdir()


def corrupt(root):
    (root / "train" / "dog" / "3.png").write_bytes(b"\x89PNG not really")


def a_file(root):
    shutil.rmtree(root)
    root.write_text("not a folder")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (no_train, "no folder `train`"),
        (empty_class, "cat: this class has no images"),
        (corrupt, "3.png: cannot be read as an image"),
        (a_file, "there is no folder"),
    ],
)
def test_image_folders(tmp_path, folder, capsys, damage, message):
    """The message names the folder or file that is wrong."""
    damage(folder)
    out = tmp_path / "run"
    settings = {"dataset": "imagefolder", "data": folder, "image_size": 16, "max_images": 24}
    assert message in refused(capsys, out, flags(out=out, **settings))


def test_damaged_images(tmp_path, folder, capsys):
    """Those of the test split are never read; those to train on are left out when asked."""
    corrupt(folder)
    for path in (folder / "test").rglob("*.png"):
        path.write_bytes(b"garbage")
    settings = {"dataset": "imagefolder", "data": folder, "image_size": 16, "max_images": 24}
    settings |= {"batch_size": 4, "epochs": 1}
    assert main([*flags(out=tmp_path / "run", **settings), "--skip_corrupt"]) == 0
    stderr = capsys.readouterr().err
    assert "search.py: left out 1 of 24 train images:\n" in stderr
    assert f"  {folder / 'train' / 'dog' / '3.png'}: cannot be read as an image (" in stderr


def test_no_network(tmp_path, capsys, monkeypatch):
    """CIFAR-10 that is not there says where to put it and what runs without."""

    def unreachable(*_, **__):
        raise OSError("Network is unreachable")

    monkeypatch.setattr(socket.socket, "connect", unreachable)
    monkeypatch.setattr(socket, "getaddrinfo", unreachable)
    out = tmp_path / "run"
    said = refused(capsys, out, flags(out=out, dataset="cifar10", data=tmp_path / "data"))
    assert "cifar-10-python.tar.gz" in said and "--dataset shapes" in said


def test_output_directories(tmp_path, capsys):
    """A directory with a run is left as it is; a file and what lies below it are refused."""
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "metrics.jsonl").write_text("precious\n")
    (tmp_path / "file").write_text("precious")
    for out, message in (
        (taken, "already holds a run"),
        (tmp_path / "file", "is a file; name a directory"),
        (tmp_path / "file" / "run", "cannot be written"),
    ):
        assert main(flags(out=out)) == 2
        assert message in capsys.readouterr().err
    assert (taken / "metrics.jsonl").read_text() == "precious\n"
    assert [path.name for path in taken.iterdir()] == ["metrics.jsonl"]
    assert (tmp_path / "file").read_text() == "precious"


def test_numbers_that_go_wrong(tmp_path, capsys):
    """A loss that is not finite stops the search and says when."""
    out = tmp_path / "run"
    assert main(flags(out=out, learning_rate=1e30, grad_clip=1e30)) == 2
    assert "epoch 0, step" in capsys.readouterr().err
    assert not (out / "genotype.json").exists()
