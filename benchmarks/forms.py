"""The program around a comparison of the plain form with ours on the CPU."""

import argparse
import dataclasses
import multiprocessing
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

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
    remark_of: Callable[[Any, dict[str, Any]], str] = lambda size, result: "",
) -> None:
    """Read a size from the command line, time both forms at it, and write the results.

    Each form is timed in a process of its own, in which ours keeps freed memory as the programs do.
    Where the machine has no room for both, they take turns in one process, which keeps nothing.

    Args:
        module: What `python -m` is given, for the processes that measure memory.
        size_class: A dataclass with defaults; its fields are the flags.
        build: Makes the step of a form.
        name_of: The name of the result files.
        title_of: The title of the table.
        remark_of: What is to be said of a result, such as that it does not count.
    """
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for field in dataclasses.fields(size_class):
        parser.add_argument(f"--{field.name}", type=type(field.default), default=field.default)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--memory_of", choices=FORMS, help=argparse.SUPPRESS)
    given = vars(parser.parse_args())
    repeats, memory_of = given.pop("repeats"), given.pop("memory_of")
    size = size_class(**given)
    if memory_of:
        if memory_of == "ours":
            keep_freed_memory()
        step = build(memory_of, size, CPU)
        before = peak_memory_mib(CPU.device)
        step()
        step()
        print(before, peak_memory_mib(CPU.device))
        return
    flags = [f"--{key}={value}" for key, value in given.items()]
    # Memory first: a process starts with the peak of the one that starts it.
    memory = {form: _peak_memory_mib(module, flags, form) for form in FORMS}
    needed_mib = sum(peak for _, peak in memory.values())
    in_processes = needed_mib < _USABLE * total_memory_mib(CPU.device)
    if in_processes:
        with _processes(build, size) as steps:
            times_s = take_turns(steps, repeats, CPU.device)
    else:
        times_s = take_turns({form: build(form, size, CPU) for form in FORMS}, repeats, CPU.device)
    result = {
        "command": " ".join([f"python -m {module}", *flags, f"--repeats={repeats}"]),
        **describe_machine(CPU.device),
        **compare(times_s),
        "in_processes": in_processes,
        "peak_memory_mib": {form: round(peak) for form, (_, peak) in memory.items()},
        "added_memory_mib": {
            form: max(1, round(peak - before)) for form, (before, peak) in memory.items()
        },
    }
    result["remark"] = remark_of(size, result)
    write_results(name_of(size), result, comparison_table(result, title_of(size)))


def _peak_memory_mib(module: str, flags: list[str], form: str) -> tuple[float, float]:
    """Return the peak resident memory of a process before and after its first two steps, MiB."""
    command = [sys.executable, "-m", module, f"--memory_of={form}", *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    before, peak = done.stdout.split()[-2:]
    return float(before), float(peak)


@contextmanager
def _processes(
    build: Callable[[str, Any, Compute], Step], size: object
) -> Iterator[dict[str, Step]]:
    """Yield the step of each form, which a process of its own does while this one waits."""
    context = multiprocessing.get_context("spawn")
    steps, processes = {}, []
    for form in FORMS:
        ours, theirs = context.Pipe()
        processes.append(context.Process(target=_serve, args=(theirs, build, form, size)))
        processes[-1].start()
        theirs.close()  # else this process would not see its end
        steps[form] = _asking(ours)
    try:
        yield steps
    finally:
        for process in processes:
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
