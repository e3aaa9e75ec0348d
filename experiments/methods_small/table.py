"""Print the rows of the table in README.md from the finished searches, in the order of the file.

python experiments/methods_small/table.py
"""

import json
from pathlib import Path
from typing import Any

from nas.experiments.experiment import read_experiment
from nas.experiments.plan import plan

FOLDER = Path(__file__).parent


def main() -> None:
    """Print the row of each finished search."""
    for run in plan(read_experiment(FOLDER)):
        if run.state() == "finished":
            named = [flag.split("=", 1) for flag in run.flags]
            parts = [value for key, value in named if key in ("--method", "--selection")]
            print(row("+".join(parts), run.path))


def row(method: str, path: Path) -> str:
    """Return the line of a search in Markdown: its last alphas, and the cells that were chosen."""
    record = lines_of(path / "metrics.jsonl")[-1]
    folders = [path, path / "selection"] if (path / "selection").is_dir() else [path]
    chosen = lines_of(folders[-1] / "metrics.jsonl")[-1]
    cells = json.loads((path / "genotype.json").read_text())
    numbers = record["collapse"]
    timing = [line for folder in folders for line in lines_of(folder / "timing.jsonl")]
    peak = max(line["peak_memory_mib"] for line in timing)
    sandglasses = {
        group: sum(
            operator.startswith("sandglass") for node in cells[group] for operator, _ in node
        )
        for group in record["num_skips"]
    }
    columns = [
        method,
        pair(record["entropy"], ".3f"),
        pair({group: 100 * value for group, value in numbers["edge_margin"].items()}, ".2f"),
        pair({group: 100 * value for group, value in numbers["operator_margin"].items()}, ".2f"),
        pair(chosen["num_skips"], "d"),
        pair(chosen["collapse"]["parameter_free"], ".2f"),
        pair(sandglasses, "d"),
        f"{chosen['num_parameters'] / 1e6:.2f}",
        f"{peak:,.0f}",
    ]
    return f"| {' | '.join(columns)} |"


def lines_of(path: Path) -> list[dict[str, Any]]:
    """Read a JSON document a line."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def pair(by_group: dict[str, Any], form: str) -> str:
    """Write the numbers of the normal and of the reduction cell."""
    return " and ".join(format(value, form) for value in by_group.values())


if __name__ == "__main__":
    main()
