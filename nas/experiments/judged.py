"""What the searches of an experiment found, judged by a table of accuracies."""

import dataclasses
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nas.experiments.plan import Run
from nas.oracle import Judged, Table, best_of, judge
from nas.oracle.judge import Spread, spreads
from nas.oracle.text import equal_budget

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BUDGETS = (1, 10, 50)
"""The best of k random cells is a row for each k."""
_COLUMNS = (
    *("search", "seeds", "accuracy (%)", "worst", "percentile", "regret", "equals best of k"),
    *("skips", "nones", "all skip", "minutes"),
)
_DASH = "-"
_SKIP, _NONE = "skip_connect", "none"


@dataclass(frozen=True)
class JudgedSearches:
    """The finished searches of an experiment, looked up."""

    table: Table
    judged: tuple[Judged, ...]
    """The searches; `group` is their row, `name` their seed."""
    minutes: tuple[float, ...]
    """Of each search."""

    def markdown(self) -> list[str]:
        """Return a table of the rows, chance below them, and a list of the cells, as lines."""
        rows = [self._row(spread) for spread in spreads(self.judged)]
        rows += [self._chance(budget) for budget in BUDGETS]
        return [
            *_lines(_COLUMNS, rows),
            "",
            "Accuracy: mean and sample standard deviation over the seeds, of "
            f"{self.table.dataset} in a table of all {len(self.table.accuracies):,} cells, whose "
            f"best has {self.table.best:.2f} %. Each search is looked up once, after its last "
            "epoch. Percentile: share of all cells that are worse. Regret: points below the best. "
            "Equals best of k: the fewest random cells whose best, chosen by the table, is as good "
            "on average. Skips, nones: mean number of edges. Minutes: of one search, mean.",
            "",
            *_lines(("search", "seed", "accuracy (%)", "rank", "cell"), self._cells()),
        ]

    def to_json(self) -> dict[str, Any]:
        """Return plain values for results.json."""
        return {
            "dataset": self.table.dataset,
            "best": self.table.best,
            "groups": [spread._asdict() for spread in spreads(self.judged)],
            "searches": [
                {"group": one.group, "seed": int(one.name), "arch": one.arch, **one.place._asdict()}
                for one in self.judged
            ],
        }

    def figure(self) -> "Figure | None":
        """Draw the regret over the epochs; None where no search has any."""
        from nas.oracle.figure import regret_figure  # matplotlib is slow to import

        return regret_figure(self.table, self.judged)

    def _row(self, spread: Spread) -> list[str]:
        members = [one for one in self.judged if one.group == spread.group]
        edges = [_operators(one.arch) for one in members]
        all_skip = sum(set(operators) == {_SKIP} for operators in edges)
        minutes = [m for one, m in zip(self.judged, self.minutes, strict=True) if one in members]
        deviation = "" if spread.std is None else f" ± {spread.std:.2f}"
        return [
            f"`{spread.group}`",
            str(spread.num_seeds),
            f"{spread.mean:.2f}{deviation}",
            f"{spread.worst:.2f}",
            f"{spread.percentile:.1f}",
            f"{spread.regret:.2f}",
            equal_budget(self.table, spread.mean),
            f"{statistics.fmean(ops.count(_SKIP) for ops in edges):.1f}",
            f"{statistics.fmean(ops.count(_NONE) for ops in edges):.1f}",
            f"{all_skip} of {len(members)}",
            f"{statistics.fmean(minutes):.1f}",
        ]

    def _chance(self, budget: int) -> list[str]:
        chance = best_of(self.table.ordered, budget)
        name = "a random cell" if budget == 1 else f"best of {budget} random cells"
        regret = f"{self.table.best - chance.mean:.2f}"
        filled = [f"{chance.mean:.2f} ± {chance.std:.2f}", _DASH, _DASH, regret, str(budget)]
        return [name, "exact", *filled, *[_DASH] * (len(_COLUMNS) - 2 - len(filled))]

    def _cells(self) -> list[list[str]]:
        return [
            [
                f"`{one.group}`",
                one.name,
                f"{one.place.accuracy:.2f}",
                str(one.place.rank),
                f"`{one.arch}`".replace("|", "\\|"),
            ]
            for one in self.judged
        ]


def judge_searches(table: Table, runs: Sequence[Run]) -> JudgedSearches:
    """Look up the searches that are finished.

    Args:
        table: The accuracies.
        runs: The runs of an experiment.

    Raises:
        OracleError: A cell is not in the table.
        ReportError: A run is damaged.
    """
    searches = [run for run in runs if run.program == "search" and run.state() == "finished"]
    judged = judge(table, [run.path.as_posix() for run in searches])
    placed = tuple(
        dataclasses.replace(one, group=run.group, name=str(run.settings().seed))
        for one, run in zip(judged, searches, strict=True)
    )
    return JudgedSearches(table, placed, tuple(sum(run.times_s()) / 60 for run in searches))


def _operators(arch: str) -> list[str]:
    return [
        entry.partition("~")[0] for node in arch.split("+") for entry in node.strip("|").split("|")
    ]


def _lines(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [columns, ["---"] * len(columns), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]
