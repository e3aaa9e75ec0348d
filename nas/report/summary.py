"""The few values of a run that a report and a comparison show first."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nas.report.cells.labels import printable
from nas.report.run import Run

_PROGRAMS = {
    "search": "python search.py",
    "training": "python augment.py",
    "detection": "nas detect train",
}
_MAX_VALUE = 2000
"""Longest shown value of a setting, in characters."""


@dataclass(frozen=True)
class Facts:
    """Values of a run; None where it has none, or none yet."""

    dataset: str | None
    model: str | None
    """Of a search its space, of a training run its genotype or model."""
    seed: str | None
    epochs: str
    """Number of finished and of planned epochs, or of iterations of a detector."""
    test_top1: float | None
    """Percent, in the last measurement."""
    test_epoch: int | None
    """The epoch of that measurement, where it is not the last one of the run."""
    val_accuracy: float | None
    """Percent; in a search the supernet's, on the images that update the alphas."""
    num_parameters: int | None
    """Without the auxiliary head; for a search, of the evaluation network of its cells."""
    madds: int | None
    """Multiply-adds of the same network for one image."""
    time_s: float | None
    """Sum over all epochs."""
    peak_memory_mib: float | None


def facts_of(run: Run) -> Facts:
    """Collect the facts of a run."""
    last = run.metrics[-1] if run.metrics else {}
    test_top1, test_epoch = _test_accuracy(run)
    validated = [record for record in run.metrics if "val_accuracy" in record]
    memory = [r["peak_memory_mib"] for r in run.timing if r.get("peak_memory_mib") is not None]
    size: Any = run.cost
    return Facts(
        dataset=_text(run.config.get("dataset")),
        model=model_of(run),
        seed=_text(run.config.get("seed")),
        epochs=_epochs(run),
        test_top1=test_top1,
        test_epoch=test_epoch,
        val_accuracy=validated[-1]["val_accuracy"] if validated else None,
        num_parameters=size.num_parameters if size else last.get("num_parameters"),
        madds=size.madds if size else last.get("madds"),
        time_s=sum(record["time_s"] for record in run.timing) if run.timing else None,
        peak_memory_mib=max(memory, default=None),
    )


def model_of(run: Run) -> str | None:
    """Say what a run is about: the space of a search, what a training run names as its network."""
    if run.kind == "search":
        return run.space.name if run.space else _text(run.config.get("space"))
    names = (run.config.get(key) for key in ("genotype", "model", "network"))
    return _text(next((name for name in names if name), None))


def settings_of(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Write settings as name and text, as YAML would have them."""
    return [(printable(name, 80), _written(value)) for name, value in values.items()]


def command_of(run: Run) -> str | None:
    """Return the command that started a run, quoted for a shell, where env.json has it."""
    command = run.environment.get("command")
    if not isinstance(command, list) or not all(isinstance(part, str) for part in command):
        return None
    return printable(shlex.join(command), _MAX_VALUE) or None


def repeat_command(run: Run) -> str | None:
    """Return the command that repeats a run from its config.yaml, where there is one."""
    if not run.config:
        return None
    commit = run.environment.get("commit")
    checkout = ""
    if isinstance(commit, str) and commit:
        checkout = f"git checkout {shlex.quote(printable(commit.removesuffix('-dirty'), 80))}\n"
    program = _PROGRAMS[run.kind]
    out = run.config.get("out")
    out = printable(out if isinstance(out, str) and out else run.name, 400)
    config, again = shlex.quote(f"{out}/config.yaml"), shlex.quote(f"{out}-again")
    return f"{checkout}{program} --config {config} --out {again}"


def _test_accuracy(run: Run) -> tuple[float | None, int | None]:
    if run.evaluation and run.evaluation.split == "test":
        return run.evaluation.top1, None
    measured = [record for record in run.metrics if "test_accuracy" in record]
    if not measured:
        return None, None
    epoch, planned = measured[-1]["epoch"], run.config.get("epochs")
    at_end = isinstance(planned, int) and epoch + 1 == planned
    return measured[-1]["test_accuracy"], None if at_end else epoch


def _epochs(run: Run) -> str:
    if run.kind == "detection":
        done = run.metrics[-1]["iteration"] if run.metrics else 0
        planned = run.config.get("iterations")
    else:
        done = run.metrics[-1]["epoch"] + 1 if run.metrics else 0
        planned = run.config.get("epochs")
    is_known = isinstance(planned, int) and not isinstance(planned, bool)
    return f"{done} of {planned}" if is_known else str(done)


def _text(value: Any) -> str | None:
    return None if value is None else printable(_written(value), 120)


def _written(value: Any) -> str:
    if not isinstance(value, str):
        value = json.dumps(value, ensure_ascii=False, default=str)  # a date of YAML is no JSON
    return printable(value, _MAX_VALUE)
