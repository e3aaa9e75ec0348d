"""Files of chains: written back to an equal record, and every way to get one wrong."""

import pytest
import yaml

from nas.errors import SearchSpaceError
from nas.space import ChainSpace, list_spaces, load_cells, load_chain_space, load_space

CHAINS = [name for name in list_spaces() if isinstance(load_space(name), ChainSpace)]
SMALL = {
    "family": "chain",
    "image_size": 32,
    "stem": {"width": 16, "stride": 1},
    "first": [{"block": "sandglass", "ratio": 2, "width": 24}],
    "candidates": [{"block": "sandglass", "ratio": [3, 6], "se": [False, True]}],
    "depths": [1, 2],
    "stages": [{"width": 32, "stride": 2}, {"width": 48, "stride": 2, "depths": [2]}],
    "last": [{"block": "conv", "width": 64, "narrows": False}],
}
STAGE = SMALL["stages"][0]
IR = {"block": "inverted_residual", "ratio": 6}


@pytest.fixture
def write(tmp_path):
    """Write a chain that differs from a small one in some keys; None takes a key away."""

    def write(**changes):
        path = tmp_path / "own.yaml"
        document = {k: v for k, v in (SMALL | changes).items() if v is not None}
        path.write_text(yaml.safe_dump(document))
        return path

    return write


def test_chains_ship():
    assert {"mobilenext_chain", "mobilenetv2_chain", "mobilenext_blocks"} <= set(CHAINS)
    assert len(CHAINS) == 7


@pytest.mark.parametrize("name", CHAINS)
def test_a_chain_is_read_back_from_what_it_writes(name, tmp_path):
    """space.yaml of a run is the whole space, also at another width multiplier."""
    for space in (load_space(name), load_space(name).at_width(0.35)):
        path = tmp_path / "space.yaml"
        path.write_text(space.to_yaml())
        assert load_space(path) == space


def test_a_chain_of_a_user(write):
    """Lists make every combination, in the order of their keys; a stage may differ."""
    space = load_space(write())
    assert space.name == "own"
    assert space.candidates == tuple(
        f"sandglass_t{ratio}_k3{se}" for ratio in (3, 6) for se in ("", "_se")
    )
    assert [stage.depths for stage in space.stages] == [(1, 2), (2,)]
    assert space.num_features == 64
    # Plain t 3 and t 6 are both 16 wide inside in three of the four layers.
    assert space.num_networks == (3 + 3 * 3) * (3 * 4)


def test_cells_and_chains_are_told_apart():
    """A program that needs one kind says so."""
    assert load_chain_space("mobilenext_chain").family == "chain"
    assert load_cells("darts").family == "cell"
    with pytest.raises(SearchSpaceError, match="space: mobilenext_chain is a chain of blocks"):
        load_cells("mobilenext_chain")
    with pytest.raises(SearchSpaceError, match="space: darts is a space of cells, but a chain"):
        load_chain_space("darts")


def test_a_chain_is_not_joined():
    with pytest.raises(SearchSpaceError, match="mobilenext_chain is a chain, which cannot be join"):
        load_space("mobilenext_chain+sandglass")


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"primitives": ["a"]}, ["unknown key 'primitives'", "known: "]),
        ({"stem": None}, ["stem: expected a mapping", "found nothing"]),
        ({"stem": {"width": 16, "kernel": 3}}, ["stem: unknown key 'kernel'"]),
        ({"stem": {"stride": 1}}, ["stem: width: expected a whole number from 1 to 8192", "None"]),
        ({"stages": None}, ["stages: expected a list of 1 to 16 stages, found 0"]),
        ({"stages": [3]}, ["stages[0]: expected a mapping with width", "found 3"]),
        ({"stages": [STAGE | {"stride": 3}]}, ["stages[0]: stride: ", "from 1 to 2, found 3"]),
        ({"stages": [STAGE | {"width": True}]}, ["stages[0]: width: ", "found True"]),
        ({"stages": [STAGE | {"deep": 3}]}, ["stages[0]: unknown key 'deep'; did you mean 'dep"]),
        ({"depths": None}, ["stages[0]: has no depths; list them there, or under `depths:`"]),
        ({"candidates": None}, ["stages[0]: has no candidates"]),
        ({"depths": [2, 1]}, ["depths: expected increasing numbers", "found [2, 1]"]),
        (
            {"depths": [0, 1]},
            ["own.yaml: depths: expected numbers of layers from 1", "found 0"],
        ),
        ({"depths": []}, ["depths: expected increasing numbers"]),
        ({"candidates": []}, ["candidates: expected 1 to 64 candidates, found none"]),
        ({"candidates": ["sandglass"]}, ["candidates[0]: expected a mapping", "found text"]),
        ({"candidates": [{"ratio": 6}]}, ["block: expected sandglass, fig4a", "found None"]),
        ({"candidates": [{"block": "conv"}]}, ["block: expected", "found 'conv'"]),
        ({"candidates": [IR | {"block": "skip"}]}, ["block: expected", "found 'skip'"]),
        ({"candidates": [IR | {"ratio": 0}]}, ["candidates[0]: ratio: ", "from 1 to 64, found 0"]),
        ({"candidates": [IR | {"ratio": []}]}, ["ratio: expected at least one"]),
        ({"candidates": [IR | {"kernel": 4}]}, ["kernel: expected 3, 5, 7, 9, 11, found 4"]),
        ({"candidates": [IR | {"se": 1}]}, ["se: expected true or false, found 1"]),
        (
            {"candidates": [IR | {"ratio": [6] * 10**4, "kernel": [3] * 10**4}]},
            ["candidates[0]: expected at most 64 candidates, found 100000000 with all comb"],
        ),
        ({"family": None}, ["has stages but no family; add `family: chain`"]),
        ({"candidates": [IR, dict(IR)]}, ["inverted_residual_e6_k3 is there twice"]),
        (
            {"candidates": [IR, IR | {"block": "sandglass"}]},
            ["sandglass and inverted_residual cannot be in one layer", "costs many times"],
        ),
        ({"first": [{"block": "sandglass"}]}, ["first[0]: ratio: expected", "found None"]),
        ({"last": [{"block": "conv", "width": 8, "ratio": 2}]}, ["last[0]: ratio: a conv has non"]),
        ({"last": [{"block": "conv", "width": 8, "narrows": 0}]}, ["narrows: expected true or fa"]),
        ({"last": 3}, ["last: expected a list, found 3"]),
        ({"width_mult": 0}, ["width_mult: expected a number above 0 and at most 10, found 0"]),
        ({"width_mult": float("nan")}, ["width_mult: expected a number above 0", "found nan"]),
        ({"image_size": 2}, ["the strides divide an image by 4, which leaves no pixel of 2 x 2"]),
        ({"family": "chian"}, ["family: unknown family 'chian'; did you mean 'chain'?"]),
        ({"family": ["chain"]}, ["family: unknown family ['chain']"]),
    ],
)
def test_a_malformed_chain_says_where_and_what(write, changes, parts):
    """Each fault is one line: the file and key, what was found, what is allowed."""
    path = write(**changes)
    with pytest.raises(SearchSpaceError) as error:
        load_space(path)
    message = str(error.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    for part in parts:
        assert part in message


def test_merged_candidates_are_told():
    """What describes a space, in a search and in a random draw, says what is left out and why."""
    text = load_space("mobilenext_chain_64").describe()
    assert "left out as duplicates: stage 0 (width 96), layer 0: sandglass_t12_k3 is the s" in text
    assert text.endswith(" and 1 more")
    assert "duplicates" not in load_space("mobilenext_chain").describe()
