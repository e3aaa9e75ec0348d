"""The program around a comparison of the plain form with ours on the CPU."""

import argparse
import dataclasses
import json
import multiprocessing
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.aim import Aim
from benchmarks.kinds import time_by_kind
from benchmarks.paired import (
    compare,
    comparison_table,
    describe_machine,
    take_turns,
    write_results,
)
from benchmarks.steps import CPU, FORMS, Step
from nas.runtime.allocator import keep_freed_memory
from nas.runtime.compute import Compute
from nas.runtime.memory import peak_memory_mib, total_memory_mib

_USABLE = 0.9
"""Of the memory of the machine, for both forms at a time."""


def compare_forms(
    module: str,
    size_class: type,
    build: Callable[[str, Any, Compute], Step],
    name_of: Callable[[Any], str],
    title_of: Callable[[Any], str],
    aim: Aim,
    remark_of: Callable[[Any, dict[str, Any]], str] = lambda size, result: "",
) -> None:
    """Read a size from the command line, time both forms at it, and write the results.

    Each form is timed in a process of its own, in which ours keeps freed memory as the programs do.
    Where the machine has no room for both at a time, each step has a process of its own, which
    warms up by another.

    Args:
        module: What `python -m` is given, for the processes that measure memory.
        size_class: A dataclass with defaults; its fields are the flags.
        build: Makes the step of a form.
        name_of: The name of the result files.
        title_of: The title of the table.
        aim: What the ratios of time and of memory should be.
        remark_of: What is to be said of a result, such as that it does not count.
    """
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for field in dataclasses.fields(size_class):
        parser.add_argument(f"--{field.name}", type=type(field.default), default=field.default)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--measure", choices=FORMS, help=argparse.SUPPRESS)
    given = vars(parser.parse_args())
    repeats, form = given.pop("repeats"), given.pop("measure")
    size = size_class(**given)
    if form:
        print(json.dumps(_measure(build, form, size)))
        return
    flags = [f"--{key}={value}" for key, value in given.items()]
    # Memory first: a process starts with the peak of the one that starts it.
    measured = {form: _measured(module, flags, form) for form in FORMS}
    needed_mib = sum(one["peak_mib"] for one in measured.values())
    at_a_time = needed_mib < _USABLE * total_memory_mib(CPU.device)
    times_s: dict[str, list[float]] = {form: [] for form in FORMS}
    if at_a_time:
        with ExitStack() as stack:
            steps = {form: stack.enter_context(_process(build, form, size)) for form in FORMS}
            times_s = take_turns(steps, repeats, CPU.device)
    else:
        for form in FORMS * repeats:
            with _process(build, form, size) as step:
                times_s[form] += take_turns({form: step}, 1, CPU.device)[form]
    result = {
        "command": " ".join([f"python -m {module}", *flags, f"--repeats={repeats}"]),
        **describe_machine(CPU.device),
        **compare(times_s),
        "at_a_time": at_a_time,
        "peak_memory_mib": {form: round(one["peak_mib"]) for form, one in measured.items()},
        "added_memory_mib": {
            form: max(1, round(one["peak_mib"] - one["before_mib"]))
            for form, one in measured.items()
        },
        "time_by_kind_s": {form: one["time_by_kind_s"] for form, one in measured.items()},
    }
    result["remark"] = aim.remark(result) + remark_of(size, result)
    write_results(name_of(size), result, comparison_table(result, title_of(size)))


def _measure(build: Callable[[str, Any, Compute], Step], form: str, size: object) -> dict[str, Any]:
    """Return the peak resident memory of this process, MiB, and where the time of a step goes."""
    if form == "ours":
        keep_freed_memory()
    step = build(form, size, CPU)
    before_mib = peak_memory_mib(CPU.device)
    step()
    step()
    peak_mib = peak_memory_mib(CPU.device)  # the profiler takes memory too
    return {
        "before_mib": before_mib,
        "peak_mib": peak_mib,
        "time_by_kind_s": {kind: round(time, 3) for kind, time in time_by_kind(step).items()},
    }


def _measured(module: str, flags: list[str], form: str) -> dict[str, Any]:
    """Return what `_measure` says in a process of its own."""
    command = [sys.executable, "-m", module, f"--measure={form}", *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


@contextmanager
def _process(build: Callable[[str, Any, Compute], Step], form: str, size: object) -> Iterator[Step]:
    """Yield the step of a form, which a process of its own does while this one waits."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, build, form, size))
    process.start()
    theirs.close()  # else this process would not see its end
    try:
        yield _asking(ours)
    finally:
        process.terminate()
        process.join()


def _asking(connection: Connection) -> Step:
    def step() -> None:
        connection.send(None)
        connection.recv()

    return step


def _serve(
    connection: Connection, build: Callable[[str, Any, Compute], Step], form: str, size: object
) -> None:
    """Do a step each time that one is asked for."""
    if form == "ours":
        keep_freed_memory()
    step = build(form, size, CPU)
    while True:
        connection.recv()
        step()
        connection.send(None)
