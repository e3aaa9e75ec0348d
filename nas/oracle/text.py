"""What the judge says, as tables in plain text."""

from collections.abc import Sequence

from nas.oracle.chance import BUDGETS, best_of, matching_budget
from nas.oracle.judge import Judged, Spread, spreads
from nas.oracle.table import Place, Table

_BLANK = "\N{EN DASH}"


def describe(table: Table, judged: Sequence[Judged]) -> str:
    """Return the tables: every epoch of a single search, what was found, seeds, and chance."""
    parts = [
        f"{table.dataset} in {table.path}: {len(table.accuracies)} architectures, the best has "
        f"{table.best:.2f} %."
    ]
    if len(judged) == 1 and judged[0].epochs:
        rows = [(str(v.epoch), *_of_place(v.place), v.arch) for v in judged[0].epochs]
        parts.append(_table(("epoch", *_COLUMNS, "cell"), rows))
    rows = [
        (one.name + ("" if one.is_finished else " (not finished)"), *_of_place(one.place), one.arch)
        for one in judged
    ]
    parts.append(_table(("found", *_COLUMNS, "cell"), rows))
    if groups := spreads(judged):
        parts.append(_table(_SPREAD_COLUMNS, [_of_spread(table, group) for group in groups]))
    parts.append(
        "Chance, exactly: the best of k random architectures, chosen by this table.\n\n"
        + _table(
            ("k", "accuracy", "sd", "median", "regret"),
            [
                (str(k), f"{c.mean:.2f}", f"{c.std:.2f}", f"{c.median:.2f}", _points(table, c.mean))
                for k in BUDGETS
                for c in (best_of(table.ordered, k),)
            ],
        )
    )
    return "\n\n".join(parts)


_COLUMNS = ("accuracy", "rank", "percentile", "regret")
_SPREAD_COLUMNS = ("method", "seeds", "accuracy", "sd", "worst", "percentile", "regret", "equals k")


def _of_place(place: Place) -> tuple[str, ...]:
    percentile = f"{place.percentile:.2f}"
    return f"{place.accuracy:.2f}", str(place.rank), percentile, f"{place.regret:.2f}"


def _of_spread(table: Table, spread: Spread) -> tuple[str, ...]:
    return (
        spread.group,
        str(spread.num_seeds),
        f"{spread.mean:.2f}",
        _BLANK if spread.std is None else f"{spread.std:.2f}",
        f"{spread.worst:.2f}",
        f"{spread.percentile:.2f}",
        f"{spread.regret:.2f}",
        equal_budget(table, spread.mean),
    )


def equal_budget(table: Table, accuracy: float) -> str:
    """Write the smallest k whose best random architecture is as good, on average.

    Args:
        table: What chooses the best.
        accuracy: In percent.
    """
    budget = matching_budget(table.ordered, accuracy)
    if accuracy < best_of(table.ordered, 1).mean:
        return "below 1"
    return _BLANK if budget is None else str(budget)


def _points(table: Table, accuracy: float) -> str:
    return f"{table.best - accuracy:.2f}"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    lines = []
    for row in (columns, *rows):
        # Numbers to the right; names in the first column and cells in the last to the left.
        first, *numbers = (text.rjust(width) for text, width in zip(row, widths, strict=True))
        cells = [first.strip().ljust(widths[0]), *numbers]
        if columns[-1] == "cell":
            cells[-1] = row[-1]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
