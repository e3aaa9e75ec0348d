"""network.json: written, read back, and every way to get one wrong."""

import json
from dataclasses import replace

import pytest

from nas.errors import ChainError, GenotypeError, NasError
from nas.genotype import Chain, load_chain, load_genotype, random_chain
from nas.genotype.chain import names_chain
from nas.space import load_chain_space

SPACE = load_chain_space("mobilenext_chain")
MOBILENEXT = Chain.uniform(SPACE, "sandglass_t6_k3", (3, 3, 4, 4, 3))


def test_a_chain_is_read_back_from_what_it_writes(tmp_path):
    """Blocks, space, width multiplier and origin; from a file, a run directory or the text."""
    chain = random_chain(SPACE.at_width(0.75), 3)
    text = chain.to_json()
    (tmp_path / "network.json").write_text(text)
    for source in (text, tmp_path / "network.json", str(tmp_path)):
        found = load_chain(source)
        assert found == chain
        assert found.width_mult == 0.75
        assert found.search == {"method": "random", "seed": 3}


def test_where_a_network_comes_from_does_not_count():
    assert replace(MOBILENEXT, search={"seed": 3}) == MOBILENEXT
    assert Chain.uniform(SPACE.at_width(0.5), "sandglass_t6_k3", (3, 3, 4, 4, 3)) != MOBILENEXT


def test_blocks_of_mobilenext():
    """Two fixed blocks, 17 layers, one fixed block."""
    assert MOBILENEXT.depths == (3, 3, 4, 4, 3)
    assert len(MOBILENEXT.blocks) == 20
    assert [block.out_channels for block in MOBILENEXT.blocks[:4]] == [96, 144, 192, 192]
    assert MOBILENEXT.blocks[-1].hidden_channels == 208


def test_a_candidate_that_is_another_one_is_written_as_that():
    """A kernel where there is no depthwise convolution; a ratio that rounds to another's width."""
    fives = Chain.uniform(SPACE, "sandglass_t6_k5", (1,) * 5)
    assert [names[0] for names in fives.stages] == [
        f"sandglass_t6_k{kernel}" for kernel in (5, 5, 3, 5, 3)
    ]
    small = SPACE.at_width(0.35)
    twelve = Chain.uniform(small, "sandglass_t12_k3", (1,) * 5)
    assert twelve.stages[0] == ("sandglass_t6_k3",)


def without(key):
    def change(document):
        del document[key]

    return change


def put(key, value):
    return lambda document: document.update({key: value})


def first(value):
    return lambda document: document["stages"].__setitem__(0, value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("format", "sandglass-nas genotype"), 'expected a JSON object with "format": "sandg'),
        (put("version", 2), "version 2; this release reads version 1; install the release that"),
        (put("version", True), "version True; this release"),
        (lambda d: d["space"].pop("width_mult"), "space: the key width_mult is missing"),
        (put("widths", 1), "unknown key 'widths'; known: "),
        (without("stages"), "stages: expected a list of lists of names, found None"),
        (without("space"), "space: expected an object, found None"),
        (put("search", 3), "search: expected an object, found 3"),
        (put("stages", []), "stages: found 0, but space 'mobilenext_chain' has 5"),
        (first([]), "stages[0]: found 0 layers, but the depth is one of 1, 2, 3, 4 in space"),
        (first(["sandglass_t6_k3"] * 5), "stages[0]: found 5 layers, but the depth"),
        (first("sandglass_t6_k3"), "stages[0]: expected a list of candidates, found 'sandg"),
        (first(["sandglass_t7_k3"]), "stages[0][0]: 'sandglass_t7_k3' is no candidate of space"),
        (first([3]), "stages[0][0]: 3 is no candidate"),
        (first([["a"]]), "stages[0][0]: ['a'] is no candidate"),
        (lambda d: d["space"].update(stem=3), "space: stem: expected a mapping"),
        (lambda d: d["space"].update(width_mult=0), "space: width_mult: expected a number above"),
        (lambda d: d["space"].update(family=3), "space: family: expected chain, found 3"),
        (lambda d: d["space"].update(name=3), "space: name: expected text, found 3"),
    ],
)
def test_a_file_that_is_wrong_says_where_and_what(tmp_path, change, message):
    """One line that begins with the file."""
    document = json.loads(MOBILENEXT.to_json())
    change(document)
    path = tmp_path / "network.json"
    path.write_text(json.dumps(document))
    with pytest.raises(ChainError) as error:
        load_chain(path)
    assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)
    assert message in str(error.value)


def test_every_cut_of_a_file_is_refused(tmp_path):
    """A network.json that ends early is never a network."""
    text = MOBILENEXT.to_json().rstrip()
    path = tmp_path / "network.json"
    for end in range(0, len(text), 97):
        path.write_text(text[:end])
        with pytest.raises(ChainError, match="cut short"):
            load_chain(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("missing.json", "network 'missing.json': there is no file of this name; give a network.j"),
        ("", "network ''"),
        ('{"format": 1, "format": 2}', "network: the key 'format' is there twice"),
        ("{" + '"a": [' * 10**5, "not a whole JSON document"),
        ('{"a": NaN}', "NaN is not a finite number"),
    ],
)
def test_what_is_no_network(text, message):
    with pytest.raises(ChainError) as error:
        load_chain(text)
    assert message in str(error.value)


def test_a_run_directory_without_a_network(tmp_path):
    with pytest.raises(ChainError, match="has the search of this run directory finished"):
        load_chain(tmp_path)


def test_a_folder_of_several_networks(tmp_path):
    """The message says to name one of them."""
    (tmp_path / "frontier.json").write_text("{}")
    assert names_chain(tmp_path)
    with pytest.raises(ChainError, match=r"has several networks .*; name the folder of one"):
        load_chain(tmp_path)


def test_cells_are_asked_of_a_chain(tmp_path):
    (tmp_path / "network.json").write_text(MOBILENEXT.to_json())
    with pytest.raises(GenotypeError, match="holds a network of a chain, not cells; name"):
        load_genotype(tmp_path)


@pytest.mark.parametrize("value", [True, "10", 10**30, 100_001, 0, 2.5, None])
def test_sizes_that_are_none(value):
    """What a file says of the search is not believed blindly."""
    found = replace(MOBILENEXT, search={"num_classes": value, "image_size": value})
    assert (found.num_classes, found.image_size) == (1000, 224)


def test_costs_are_those_of_the_images_of_the_search():
    found = replace(MOBILENEXT, search={"num_classes": 10, "image_size": 64})
    assert (found.num_classes, found.image_size) == (10, 64)
    assert found.count("madds") == MOBILENEXT.count("madds", 64, 10)
    assert found.at_size(96).image_size == found.at_size(96).space.image_size == 96
    assert found.at_size(96).count("madds") == MOBILENEXT.count("madds", 96, 10)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Chain(SPACE, None), "stages: expected a list of lists of names, found None"),
        (lambda: SPACE.at_width(-1), "width_mult: expected a number above 0 and at most 10"),
        (lambda: SPACE.at_width(float("nan")), "width_mult: expected a number above 0"),
        (lambda: MOBILENEXT.count("madds", 0), "image_size: expected a whole number above 0"),
    ],
)
def test_bad_values_from_python(call, message):
    with pytest.raises(NasError, match=message):
        call()
