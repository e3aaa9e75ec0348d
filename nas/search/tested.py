"""The networks that a selection has tested: measured once, kept in a file, with a progress bar."""

import dataclasses
import json
from collections.abc import Sequence
from types import TracebackType

import yaml
from tqdm import tqdm

from nas.config import run_settings
from nas.errors import RunDirectoryError
from nas.genotype import Chain
from nas.genotype.offspring import Stages
from nas.runtime.run_directory import RunDirectory, SilentRunDirectory
from nas.search.one_shot import OneShot
from nas.search.searcher import Searcher
from nas.search.selections import SELECTION_DIR
from nas.signals import StopFlag, Stopped
from nas.space import ChainSpace
from nas.supernet.chain import path_of

FILE_NAME = "tested.jsonl"


class TestedNetworks:
    """Measures networks of a chain in the supernet of a search that has ended.

    A context manager. `selection/tested.jsonl` in the run directory of the search has a line for
    each network; what is there already is not measured again.
    """

    __test__ = False  # no class of tests

    def __init__(self, searcher: Searcher, statistics_batches: int, val_batches: int, most: int):
        """Prepare.

        Args:
            searcher: The search.
            statistics_batches: See `OneShot`.
            val_batches: See `OneShot`.
            most: How many networks there will be at most, for the progress bar.
        """
        self.searcher = searcher
        self.most = most
        self._one_shot = OneShot(searcher, statistics_batches, val_batches, self._check_stop)
        self._kept: dict[Stages, float] = {}
        self._tested: dict[Stages, float] = {}
        self._stop = StopFlag()

    def __enter__(self) -> "TestedNetworks":
        path = self.searcher.run.path / SELECTION_DIR
        run = self.searcher.ranks.on_first(self._open)
        self._run = run or SilentRunDirectory(path)
        lines = self.searcher.ranks.bytes_from_first(lambda: self._run.read_bytes(FILE_NAME))
        whole = [line for line in lines.splitlines(keepends=True) if line.endswith(b"\n")]
        self._run.keep_lines(FILE_NAME, len(whole))
        self._kept |= _read(whole, str(path / FILE_NAME))
        self._stop.__enter__()
        self._bar = tqdm(
            total=self.most,
            unit="network",
            dynamic_ncols=True,
            disable=not self.searcher.ranks.is_first,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.close()
        self._stop.__exit__(kind, error, traceback)
        self._run.__exit__(kind, error, traceback)

    def __len__(self) -> int:
        return len(self._tested)

    def measure(self, network: Stages) -> float:
        """Return the accuracy of a network in percent, measured or kept.

        Raises:
            Stopped: A signal asked for it.
        """
        if network not in self._tested:
            if network not in self._kept:
                self._kept[network] = self._measure_new(network)
            self._tested[network] = self._kept[network]
            self._bar.update()
            self._bar.set_postfix(best=f"{self.best()[1]:.2f} %", refresh=False)
        return self._tested[network]

    def best(self) -> tuple[Stages, float]:
        """Return the most accurate network, the first of equals, and its accuracy."""
        best = max(self._tested, key=self._tested.__getitem__)
        return best, self._tested[best]

    def _measure_new(self, network: Stages) -> float:
        searcher, space = self.searcher, self.searcher.space
        assert isinstance(space, ChainSpace)
        like = next(searcher.alphas.parameters())
        accuracy = self._one_shot.accuracy(path_of(space, network, like))
        data = searcher.data
        numbers = searcher.kind.numbers(Chain(space, network), data.image_shape, data.num_classes)
        self._run.append(FILE_NAME, {**numbers, "accuracy": accuracy})
        return accuracy

    def _open(self) -> RunDirectory:
        config, path = self.searcher.config, self.searcher.run.path / SELECTION_DIR
        if not (path / "config.yaml").is_file():
            phase = dataclasses.replace(config, out=str(path))
            return RunDirectory.create(path, run_settings(phase))
        run = RunDirectory.open(path)
        before = yaml.safe_load(run.read_bytes("config.yaml"))["selection"]
        if before != config.selection:
            raise RunDirectoryError(
                f"resume: the selection was started as {before}, found {config.selection}; give "
                "the same settings or start another run"
            )
        return run

    def _check_stop(self) -> None:
        (signum,) = self.searcher.ranks.largest(self._stop.signum or 0)
        if signum:
            raise Stopped(
                signum,
                f"stopped in the selection after {len(self)} of at most {self.most} networks; "
                f"continue with `resume` `out` {self.searcher.run.path}",
            )


def _read(lines: Sequence[bytes], where: str) -> dict[Stages, float]:
    """Return the accuracies that were measured, by network."""
    kept = {}
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
            network = tuple(tuple(names) for names in record["network"])
            kept[network] = float(record["accuracy"])
        except (KeyError, TypeError, ValueError) as cause:
            raise RunDirectoryError(
                f"{where}: line {number} is damaged; remove the file to test all networks again"
            ) from cause
    return kept
