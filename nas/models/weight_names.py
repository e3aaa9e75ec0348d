"""Translate the names of weights in other programs' checkpoints to the names of our networks."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

_WRAPPERS = re.compile(
    r"(?:^|(?<=\.))(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module|_forward_module)\."
)
"""What torch.compile, FSDP, activation checkpointing and DeepSpeed add inside a name."""

_NO_WEIGHTS = re.compile(r"(?:^|\.)(?:n_averaged|total_ops|total_params)$")
"""Counters of averages and of profilers, which are saved as if they were weights."""

_OPERATOR = r"^(cells\.\d+\.(?:preprocess[01]|nodes\.\d+\.\d+)\.)"
_DARTS = (
    (re.compile(r"^stem\."), r"stem0."),
    (re.compile(_OPERATOR + r"op\."), r"\1"),
    (re.compile(_OPERATOR + r"conv_1\."), r"\g<1>1.conv_even."),
    (re.compile(_OPERATOR + r"conv_2\."), r"\g<1>1.conv_odd."),
    (re.compile(_OPERATOR + r"bn\."), r"\g<1>2."),
    (re.compile(r"^auxiliary_head\.features\."), r"auxiliary_head."),
)
"""From the evaluation networks of the DARTS code and of codes derived from it."""
_DARTS_OPERATOR = re.compile(r"^(cells\.\d+\.)_ops\.(\d+)\.")
_DARTS_CLASSIFIER = "auxiliary_head.classifier."
_CLASSIFIER_INDEX = ("10", "9")
"""Position of the classifier in our auxiliary heads, of the CIFAR and of the ImageNet form."""


class Translation(NamedTuple):
    """One way to read the names of a file as those of a network."""

    prefix: str
    """What all names of the network start with in the file, such as "module."."""
    names: dict[str, str]
    """For each name of the network that the file has, the name in the file."""
    unknown: dict[str, str]
    """Other names under the prefix: without the prefix, and in the file."""
    outside: list[str]
    """Names in the file that do not start with the prefix, such as those of a loss."""


def translations(names: Iterable[str], expected: Collection[str]) -> Iterator[Translation]:
    """Yield one translation per prefix under which a name of the network appears.

    Args:
        names: Names in a file.
        expected: Names of the network.
    """
    plain = {name: _WRAPPERS.sub("", name) for name in names if not _NO_WEIGHTS.search(name)}
    known: dict[str, dict[str, str]] = defaultdict(dict)
    for name, text in plain.items():
        parts = text.split(".")
        for start in range(len(parts)):
            ours = _ours(".".join(parts[start:]), expected)
            if ours is not None:
                known["".join(f"{part}." for part in parts[:start])].setdefault(ours, name)
    for prefix, translated in known.items():
        used = set(translated.values())
        rest = [(name, text) for name, text in plain.items() if name not in used]
        yield Translation(
            prefix,
            translated,
            {t.removeprefix(prefix): name for name, t in rest if t.startswith(prefix)},
            [name for name, text in rest if not text.startswith(prefix)],
        )


def _ours(name: str, expected: Collection[str]) -> str | None:
    """Return the network's name for a name without prefix, or None if it has none."""
    if name in expected:
        return name
    # The DARTS code numbers the operators of a cell; each node has two.
    name = _DARTS_OPERATOR.sub(lambda m: f"{m[1]}nodes.{int(m[2]) // 2}.{int(m[2]) % 2}.", name)
    for pattern, replacement in _DARTS:
        name = pattern.sub(replacement, name)
    if name in expected:
        return name
    if name.startswith(_DARTS_CLASSIFIER):
        rest = name.removeprefix(_DARTS_CLASSIFIER)
        for index in _CLASSIFIER_INDEX:
            if (ours := f"auxiliary_head.{index}.{rest}") in expected:
                return ours
    return None
