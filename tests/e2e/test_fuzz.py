"""Whatever is in a file of the user, the answer is a value or one line: no traceback, no hang.

Half of the checkpoints that are mutated get a right checksum afterwards, so that what stands behind
the checksum is tried too.
"""

import hashlib
import io
import time
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nas.config import AugmentConfig, SearchConfig, parse_settings
from nas.errors import CheckpointError, ConfigError, NasError, SearchSpaceError
from nas.genotype import Genotype, load_genotype
from nas.models import load_weights
from nas.runtime.checkpoint import read_checkpoint, write_checkpoint
from nas.space import load_space
from tests.unit.train.test_trainer import Net, build

__all__ = ["build"]  # a fixture
MAX_S, MAX_MIB = 1.0, 200
FEW, MANY = 25, 2000
TOKENS = [
    *(
        b"&a ",
        b"*a",
        b"!!python/object/apply:os.system [ls]",
        b"<<: *a",
        b"- ",
        b": ",
        b"\n",
        b"  ",
    ),
    *(b"[", b"]" * 9, b"{", b"}", b"(" * 40, b")", b"'", b'"', b"\\", b"\x00", b"\xff\xfe", b"#"),
    *(b"9" * 30, b"-1", b"1e999", b".nan", b"null", b"true", b"2024-99-99", b"0x", b"1:1:1"),
    *(b"Genotype", b"range(2, 6)", b"__import__('os')", b"none", b"skip_connect", b"\xe2\x80\xa8"),
]


@st.composite
def mutated(draw, sample):
    """Draw a few changes of a sample: bits, runs of bytes left out, doubled or put in."""
    content = bytearray(sample)
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, len(content)))
        length = draw(st.sampled_from([0, 1, 1, 2, 8, 64]))
        kind = draw(st.sampled_from(["bit", "cut", "double", "token", "bytes", "end"]))
        if kind == "bit" and place < len(content):
            content[place] ^= 1 << draw(st.integers(0, 7))
        elif kind == "cut":
            del content[place : place + length]
        elif kind == "double":
            content[place:place] = content[place : place + length] * draw(st.integers(1, 50))
        elif kind == "token":
            content[place:place] = draw(st.sampled_from(TOKENS))
        elif kind == "bytes":
            content[place : place + length] = draw(st.binary(max_size=9))
        else:
            del content[place:]
    return bytes(content)


def peak_mib():
    """Return the largest memory of this process since `reset_peak`."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def reset_peak():
    Path("/proc/self/clear_refs").write_text("5")


def attack(sample, attempt, number):
    """Give mutations of a sample to a function that may raise NasError and nothing else."""

    @settings(
        max_examples=number,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(mutated(sample), st.booleans())
    def run(content, is_signed):
        began_s = time.process_time()  # of this process: others do not make it slow
        try:
            attempt(content, is_signed)
        except NasError as error:
            assert len(str(error)) < 2000
        assert time.process_time() - began_s < MAX_S

    reset_peak()
    before = peak_mib()
    run()
    assert peak_mib() - before < MAX_MIB


numbers = pytest.mark.parametrize("number", [FEW, pytest.param(MANY, marks=pytest.mark.slow)])
PUBLISHED = load_genotype("DARTS_V2")


@numbers
@pytest.mark.parametrize("nested", [False, True])
def test_genotype_text(nested, number):
    sample = PUBLISHED.to_text(nested=nested).encode()
    attack(sample, lambda content, _: load_genotype(content.decode("latin-1")), number // 2)


@numbers
def test_genotype_json(tmp_path, number):
    path = tmp_path / "genotype.json"

    def attempt(content, is_file):
        path.write_bytes(content)
        if is_file:
            load_genotype(path)
        else:
            Genotype.from_json(content.decode("latin-1"))

    attack(PUBLISHED.to_json().encode(), attempt, number)


@numbers
def test_space_yaml(tmp_path, number):
    """Operators' names are data here; plug-ins are not imported by reading the space."""
    sample = Path("search_spaces/mixed_edges.yaml").read_bytes() + b"\nplugins: [a.py, b]\n"
    path = tmp_path / "space.yaml"

    def attempt(content, _):
        path.write_bytes(content)
        load_space(path)

    attack(sample, attempt, number)


@numbers
def test_configuration_yaml(tmp_path, number):
    sample = b"# a run\nspace: darts+sandglass\nplugins: [a.py]\nepochs: 50\nseed: 3\n"
    sample += b"alpha_betas: [0.5, 0.999]\nlearning_rate: 2.5e-2\nresume: false\nxi: null\n"
    path = tmp_path / "config.yaml"

    def attempt(content, is_search):
        path.write_bytes(content)
        parse_settings(SearchConfig if is_search else AugmentConfig, "p", "", [f"--config={path}"])

    attack(sample, attempt, number)


@numbers
def test_checkpoints(build, number):
    """From the bytes to a trainer that has taken on the state, or has refused it."""
    trainer = build()
    path = trainer.run.checkpoints / "step_000000001.pt"
    write_checkpoint(path, trainer.state_dict())
    whole = path.read_bytes()
    payload = read_checkpoint(path)

    def attempt(content, is_signed):
        if is_signed:
            content = content[: len(payload)]
            digest = hashlib.sha256(content).hexdigest().encode()
            content += b"\nnas checkpoint sha256 %s\n" % digest
        path.write_bytes(content)
        trainer.resume()

    attack(whole, attempt, number)


@numbers
def test_weights_of_other_programs(tmp_path, number):
    """These have no checksum at all."""
    stream, path, net = io.BytesIO(), tmp_path / "weights.pth", Net()
    torch.save({"state_dict": net.state_dict(), "epoch": 3}, stream)

    def attempt(content, ema):
        path.write_bytes(content)
        load_weights(net, path, ema)

    attack(stream.getvalue(), attempt, number)


BOMB = "a: &a [x, x]\n" + "".join(
    f"{new}: &{new} [*{old}, *{old}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("read", "error"),
    [
        (load_space, SearchSpaceError),
        (lambda path: parse_settings(SearchConfig, "p", "", [f"--config={path}"]), ConfigError),
    ],
)
def test_alias_bombs_are_refused(tmp_path, read, error):
    """Sixty lines that mean 2 ** 60 values."""
    path = tmp_path / "bomb.yaml"
    path.write_text(BOMB)
    with pytest.raises(error, match="aliases"):
        read(path)


def test_a_checkpoint_of_the_wrong_kind_is_refused(build):
    """A right checksum over a state that is not one: an error that names the checkpoints."""
    trainer = build()
    write_checkpoint(trainer.run.checkpoints / "step_000000001.pt", {"epoch": "0"})
    with pytest.raises(CheckpointError, match="does not belong to this run"):
        trainer.resume()
