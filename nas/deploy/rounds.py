"""Rounds of a measurement in a folder, so that one that was stopped goes on."""

import json
import logging
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from nas.deploy.latency import CALLS_A_TURN, time_calls
from nas.errors import ConfigError, ReportError
from nas.files import append_line, write_files
from nas.records import is_number, parse_object, read_object
from nas.signals import StopFlag, Stopped

_log = logging.getLogger(__name__)


class Rounds:
    """The folder of a measurement: its settings, files of networks, and a line for each round.

    A round times every candidate in turn, so that a busy machine slows all of them.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any]):
        """Make the folder, or go on with what it holds.

        Args:
            folder: Of this measurement alone.
            settings: All that decides what is measured, plain values of JSON.

        Raises:
            ConfigError: The folder is of a measurement with other settings.
            ReportError: It cannot be made or read.
        """
        self.folder = folder
        self._path = folder / "rounds.jsonl"
        path = folder / "settings.json"
        if path.is_file():
            before = read_object(path)
            for key, value in settings.items():
                if before.get(key) != value:
                    raise ConfigError(
                        f"out: {folder} is of a measurement that was stopped and had another "
                        f"{key}; remove the folder, or choose another `out`"
                    )
        else:
            write_files({path: (json.dumps(settings) + "\n").encode()})
        self._times = self._read()

    def _read(self) -> list[dict[str, float]]:
        lines = self._path.read_text().splitlines() if self._path.is_file() else []
        rounds = [parse_object(line, f"{self._path}:{n}") for n, line in enumerate(lines, 1)]
        for number, times in enumerate(rounds, 1):
            if not all(map(is_number, times.values())):
                raise ReportError(
                    f"{self._path}:{number}: expected numbers; remove the folder {self.folder}"
                )
        return rounds

    def run(
        self,
        builders: Mapping[str, Callable[[], Callable[[], object]]],
        num_calls: int,
        between: Mapping[str, str] = MappingProxyType({}),
        clock: Callable[[], float] = time.perf_counter,
    ) -> dict[str, NDArray[np.float64]]:
        """Build all candidates, then time them for as many rounds as are left.

        Args:
            builders: For each candidate what builds the call that is timed.
            num_calls: Of each candidate, rounded up to whole rounds of five.
            between: For some candidates another one that runs before each of their calls.
            clock: Returns seconds.

        Returns:
            For each candidate the median of each round, milliseconds, (R,).

        Raises:
            Stopped: A signal asked to stop.
        """
        num_rounds = -(-num_calls // CALLS_A_TURN)
        if self._times:
            _log.info("%s: going on after %d rounds", self.folder, len(self._times))
        with StopFlag() as stop:

            def check() -> None:
                if stop.signum is not None:
                    raise Stopped(
                        stop.signum,
                        f"stopped after {len(self._times)} of {num_rounds} rounds; the same "
                        "command goes on from there",
                    )

            calls = {}
            for name, build in tqdm(builders.items(), "building", dynamic_ncols=True):
                check()
                calls[name] = build()
            others = {name: calls[other] for name, other in between.items()}
            first = min(len(self._times), num_rounds)
            bar = tqdm(range(first, num_rounds), "timing", num_rounds, initial=first)
            for _ in bar:
                check()
                latencies = time_calls(calls, CALLS_A_TURN, others, clock)
                self._times.append({name: one.median_ms for name, one in latencies.items()})
                append_line(self._path, json.dumps(self._times[-1]))
        return {name: np.array([times[name] for times in self._times]) for name in builders}

    def remove(self) -> None:
        """Remove the folder, once what was measured is written."""
        shutil.rmtree(self.folder, ignore_errors=True)
