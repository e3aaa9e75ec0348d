"""The program around a comparison of the plain form with ours on the CPU."""

import argparse
import dataclasses
import json
import multiprocessing
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
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
    name: str,
    named: tuple[str, ...],
    title_of: Callable[[Any], str],
    aim: Aim,
) -> None:
    """Read a size from the command line, time both forms at it, and write the results.

    Each form is timed in a process of its own, in which ours keeps freed memory as the programs do.
    Where the machine has no room for both at a time, each step has a process of its own, which
    warms up by another.

    Args:
        module: What `python -m` is given, for the processes that measure memory.
        size_class: A dataclass with defaults; its fields are the flags.
        build: Makes the step of a form.
        name: The name of the result files begins with it.
        named: The fields whose values follow. Another field follows with its name where it is not
            the default, so that a trial never takes the place of a result.
        title_of: The title of the table.
        aim: What the ratios of time and of memory should be, whatever the named fields are.
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
            steps = {form: stack.enter_context(_process_of(build, form, size)) for form in FORMS}
            times_s = take_turns(steps, repeats, CPU.device)
    else:
        for form in FORMS * repeats:
            with _process_of(build, form, size) as step:
                times_s[form] += take_turns({form: step}, 1, CPU.device)[form]
    result = {
        "command": " ".join([f"python -m {module}", *flags, f"--repeats={repeats}"]),
        **describe_machine(CPU.device),
        **compare(times_s, "plain", "ours"),
        "at_a_time": at_a_time,
        "peak_memory_mib": {form: round(one["peak_mib"]) for form, one in measured.items()},
        "added_memory_mib": {
            form: max(1, round(one["peak_mib"] - one["before_mib"]))
            for form, one in measured.items()
        },
        "time_by_kind_s": {form: one["time_by_kind_s"] for form, one in measured.items()},
    }
    changed = [
        f"{field.name}_{given[field.name]}"
        for field in dataclasses.fields(size_class)
        if field.name not in named and given[field.name] != field.default
    ]
    result["remark"] = "" if changed else aim.remark(result)
    full_name = "_".join([name, *(str(given[field]) for field in named), *changed])
    write_results(full_name, result, comparison_table(result, title_of(size)))


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
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


def _process_of(
    build: Callable[[str, Any, Compute], Step], form: str, size: object
) -> AbstractContextManager[Step]:
    return in_a_process(partial(build, form, size, CPU), keeps_memory=form == "ours")


@contextmanager
def in_a_process(
    build: Callable[[], Step], *, keeps_memory: bool = False
) -> Iterator["RemoteStep"]:
    """Yield a step that a process of its own does while this one waits.

    Args:
        build: Makes the step, in that process.
        keeps_memory: Whether that process keeps freed memory, as the programs do.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, build, keeps_memory))
    process.start()
    theirs.close()  # else this process would not see its end
    try:
        yield RemoteStep(ours)
    finally:
        process.terminate()
        process.join()


class RemoteStep:
    """A step that another process does; `peak_mib` is the peak memory of that process, MiB."""

    def __init__(self, connection: Connection):
        self.connection, self.peak_mib = connection, 0.0

    def __call__(self) -> None:
        """Wait for one step."""
        self.connection.send(None)
        self.peak_mib = self.connection.recv()


def _serve(connection: Connection, build: Callable[[], Step], keeps_memory: bool) -> None:
    """Do a step each time that one is asked for."""
    if keeps_memory:
        keep_freed_memory()
    step = build()
    while True:
        connection.recv()
        step()
        connection.send(peak_memory_mib(CPU.device))
