"""Write the report of a run: one HTML file that opens from disk and needs no network.

All text is escaped, pictures are inside the file, and the page may not load anything.
"""

import dataclasses
from pathlib import Path
from typing import Any

from markupsafe import Markup

from nas.config.network_size import NetworkSize, evaluation_size
from nas.errors import ReportError
from nas.files import write_files
from nas.png import png_bytes
from nas.report.cells.labels import printable
from nas.report.figures.alphas import alphas_figure
from nas.report.figures.chain import chain_figure
from nas.report.figures.confusion import MAX_NAMED, confusion_figure
from nas.report.figures.detection_curves import detection_figure, precision_recall_figure
from nas.report.figures.frontier import frontier_figure
from nas.report.figures.operator_counts import count_operators, operators_figure
from nas.report.figures.search_curves import curves_figure
from nas.report.figures.training_curves import training_figure
from nas.report.html_images import cell_svg, data_uri
from nas.report.run import Run, read_run
from nas.report.summary import Facts, command_of, facts_of, model_of, repeat_command, settings_of
from nas.report.templating import count, duration, millions, percent, render_page
from nas.space import DEFAULT_FAMILY, ChainSpace, SearchSpace

REPORT = "report.html"

_CURVES_NOTES = {
    "search": "Losses in nats, accuracies top-1. They are those of the supernet, not "
    "of the cells it finds. The size is that of the evaluation network of the cells decoded after "
    "each epoch, with {size}.",
    "detection": "Losses are means over the iterations since the point before, divided by the "
    "matched priors. The mAP is that of all test images.",
    "training": "Losses in nats. The train curves are measured during the epoch, with augmentation "
    "and drop path; the others after it, on all images of their split.",
}
_CURVES_NOTE_OF_CHAINS = (
    "Losses in nats, accuracies top-1. They are those of the supernet, not of the network it "
    "finds. The size is that of the network decoded after each epoch."
)
_MISTAKES = 6
_PNG = b"\x89PNG\r\n"


def write_report(run_dir: str | Path) -> Path:
    """Write report.html and curves.png of a run, and alphas.png of a search.

    The report says what a run in progress does not have yet.

    Args:
        run_dir: The directory of a search or a training run, finished or not.

    Returns:
        The path of report.html.

    Raises:
        ReportError: It is not a run directory, a file in it is damaged, or it cannot be written.
        GenotypeError: genotype.json is damaged.
        ChainError: network.json is damaged.
        SearchSpaceError: space.yaml is damaged.
    """
    run = read_run(run_dir)
    pictures = draw_pictures(run)
    page = report_page(run, pictures)
    written = {run.path / f"{name}.png": picture for name, picture in pictures.items()}
    return write_files({**written, run.path / REPORT: page})[-1]


def draw_pictures(run: Run) -> dict[str, bytes]:
    """Draw the PNGs next to the report: `curves`, for a search `alphas`, of a chain `chain`.

    For a search of several targets `frontier`.
    """
    chain = {"chain": png_bytes(chain_figure(run.chain))} if run.chain else {}
    frontier = {"frontier": png_bytes(frontier_figure(run.frontier))} if run.frontier else {}
    return chain | frontier | _curves(run)


def _curves(run: Run) -> dict[str, bytes]:
    if not run.metrics:
        return {}
    if run.kind == "detection":
        model = model_of(run) or "a detector"
        pictures = {"curves": png_bytes(detection_figure(run.metrics, model))}
        if run.detection:
            pictures["precision_recall"] = png_bytes(precision_recall_figure(run.detection))
        return pictures
    if run.kind == "training":
        model = model_of(run) or "a network"
        return {"curves": png_bytes(training_figure(run.metrics, model))}
    if run.space is None:  # without it nobody knows what a column of the alphas is
        return {}
    return {
        "curves": png_bytes(curves_figure(run.metrics, run.space)),
        "alphas": png_bytes(alphas_figure(run.metrics, run.space)),
    }


def report_page(run: Run, pictures: dict[str, bytes]) -> bytes:
    """Return the HTML of a report.

    Args:
        run: What to report.
        pictures: What `draw_pictures` returns.
    """
    facts = facts_of(run)
    cells, problems = draw_cell_svgs(run)
    evaluation = run.evaluation
    commit = run.environment.get("commit")
    context: dict[str, Any] = {
        "cells": cells,
        "cells_note": _cells_note(run),
        "alphas": data_uri(pictures["alphas"]) if "alphas" in pictures else None,
        "chain": data_uri(pictures["chain"]) if "chain" in pictures else None,
        "layers": chain_rows(run),
        "frontier": data_uri(pictures["frontier"]) if "frontier" in pictures else None,
        "points": frontier_rows(run),
        "curves": data_uri(pictures["curves"]) if "curves" in pictures else None,
        "curves_note": _curves_note(run),
        "evaluation": evaluation,
        "detection": run.detection,
        "precision_recall": (
            data_uri(pictures["precision_recall"]) if "precision_recall" in pictures else None
        ),
        "grids": _grids(run),
        "confusion": None,
        "mistakes": [],
        "numbered": bool(evaluation and len(evaluation.classes) > MAX_NAMED),
        "cost": run.cost,
        "cost_note": _cost_note(run),
        "search_cost": run.metrics[-1:] if run.kind == "search" and not run.of_targets else (),
        "configuration": settings_of(run.config),
        "environment": settings_of(
            {name: value for name, value in run.environment.items() if name != "command"}
        ),
        "again": repeat_command(run),
        "started": command_of(run),
        "commit": isinstance(commit, str) and commit,
        "changed": isinstance(commit, str) and commit.endswith("-dirty"),
        "decision": decision_rows(run),
        "num_inputs": run.space.kind.num_inputs if isinstance(run.space, SearchSpace) else None,
        "operators": [],
        "operators_picture": None,
    }
    if run.genotype:
        primitives = run.space.primitives if isinstance(run.space, SearchSpace) else ()
        context["operators"] = count_operators(run.genotype, primitives)
        context["cell_types"] = run.genotype.kind.cell_types
        picture = png_bytes(operators_figure(run.genotype, primitives))
        context["operators_picture"] = data_uri(picture)
    if evaluation and evaluation.confusion:
        figure = confusion_figure(evaluation.confusion, evaluation.classes)
        context["confusion"] = data_uri(png_bytes(figure))
        context["mistakes"] = frequent_mistakes(evaluation.confusion, evaluation.classes)
    return render_page(
        "report.html.j2",
        title=f"{run.name}: report of a {run.noun}",
        max_width=1060,
        run=run,
        subtitle=_subtitle(facts),
        tiles=_tiles(run, facts),
        missing=[*run.missing, *problems],
        sections=_sections(context),
        **context,
    )


def decision_rows(run: Run) -> list[tuple[str, list[str]]]:
    """Return how far the cells of a search are from chance: group, then three numbers.

    There are none where a selection chooses the cells, which it does by other means.
    """
    if run.kind != "search" or run.config.get("selection") or not run.metrics:
        return []
    stopped = run.genotype.search.get("stopped") if run.genotype else None
    kept = stopped.get("epoch") if isinstance(stopped, dict) else run.metrics[-1]["epoch"]
    decision: dict[str, dict[str, float]] = next(
        (record.get("decision", {}) for record in run.metrics if record["epoch"] == kept), {}
    )
    return [
        (
            group,
            [
                f"{100 * numbers['entropy_share']:.2f} %",
                *(
                    f"{numbers[name]:.1f}" if name in numbers else "\N{EN DASH}"
                    for name in ("operator_margin", "edge_margin")
                ),
            ],
        )
        for group, numbers in decision.items()
        if "entropy_share" in numbers
    ]


def one_shot_accuracy(run: Run) -> float | None:
    """Return the accuracy with which a selection tested what a search found, in percent."""
    if run.kind != "search" or run.chain is None:
        return None
    selection = run.chain.search.get("selection")
    accuracy = selection.get("accuracy") if isinstance(selection, dict) else None
    return float(accuracy) if isinstance(accuracy, int | float) else None


def chain_rows(run: Run) -> list[tuple[str, str, str, str, int, int]]:
    """Return the blocks of a chain: place, block, channels, size, multiply-adds, parameters."""
    if run.chain is None:
        return []
    size = run.cost.image_shape[1] if run.cost else run.chain.image_size
    rows = []
    for place, name, block, at in run.chain.at_size(size).placed():
        inside = f" \N{RIGHTWARDS ARROW} {block.hidden_channels}" if block.hidden_channels else ""
        channels = f"{block.in_channels}{inside} \N{RIGHTWARDS ARROW} {block.out_channels}"
        rows.append((place, name, channels, f"{at} x {at}", *block.cost(at)))
    return rows


def frontier_rows(run: Run) -> list[tuple[str, int, int, str]]:
    """Return name, multiply-adds, parameters and accuracy of the networks of several targets."""
    points = (*run.frontier.networks, *run.frontier.references) if run.frontier else ()
    return [
        (
            printable(point.name, 60),
            point.madds,
            point.parameters,
            "\N{EN DASH}" if point.accuracy is None else percent(point.accuracy),
        )
        for point in points
    ]


def draw_cell_svgs(run: Run) -> tuple[list[Markup], list[str]]:
    """Draw the cells of a run; where that cannot be done, return none and a line that says why."""
    if run.genotype is None:
        return [], []
    genotype = run.genotype
    if run.space and not genotype.space:
        genotype = dataclasses.replace(genotype, space={"name": run.space.name})
    try:
        return [cell_svg(genotype, cell_type) for cell_type in genotype.kind.cell_types], []
    except ReportError as error:  # without an engine everything else can still be shown
        return [], [f"the cells are not drawn: {error}"]


def frequent_mistakes(
    confusion: tuple[tuple[int, ...], ...], classes: tuple[str, ...]
) -> list[tuple[str, str, int]]:
    """Return (true class, predicted class, images) of the largest entries off the diagonal."""
    wrong = [
        (classes[row], classes[column], images)
        for row, line in enumerate(confusion)
        for column, images in enumerate(line)
        if row != column and images
    ]
    return sorted(wrong, key=lambda entry: -entry[2])[:_MISTAKES]


def _grids(run: Run) -> list[tuple[str, str]]:
    """Return name and picture of the grids of test images that a training has drawn."""
    if run.kind != "detection":
        return []
    paths = [run.path / f"{name}.png" for name in ("best", "worst")]
    contents = [(path.stem, path.read_bytes()) for path in paths if path.is_file()]
    return [(name, data_uri(png)) for name, png in contents if png.startswith(_PNG)]


def _subtitle(facts: Facts) -> str:
    parts = [facts.model, facts.dataset, f"seed {facts.seed}" if facts.seed else None]
    return " \N{MIDDLE DOT} ".join(part for part in parts if part)


def _tiles(run: Run, facts: Facts) -> list[dict[str, str | None]]:
    """Return the figures at the top: name, value and note."""
    tiles: list[tuple[str, str | None, str | None]] = []
    if run.detection:
        tiles.append(("test mAP", percent(run.detection.map_11), "VOC 2007, 11 points"))
        tiles.append(("test mAP", percent(run.detection.map_coco), "COCO, IoU 0.5 to 0.95"))
    if facts.test_top1 is not None:
        late = None if facts.test_epoch is None else f"after epoch {facts.test_epoch}"
        tiles.append(("test accuracy", percent(facts.test_top1), late or "top-1"))
    if run.evaluation:
        tiles.append((f"{run.evaluation.split} top-5", percent(run.evaluation.top5), None))
    if facts.val_accuracy is not None:
        note = "of the supernet" if run.kind == "search" else "held out of train"
        tiles.append(("val accuracy", percent(facts.val_accuracy), note))
    if (accuracy := one_shot_accuracy(run)) is not None:
        tiles.append(("one-shot accuracy", percent(accuracy), "of the network in the supernet"))
    is_chain = isinstance(run.space, ChainSpace)
    of_cells = str(size_of_cells(run)) if run.kind == "search" and not is_chain else None
    if facts.num_parameters is not None and not run.of_targets:
        tiles.append(("parameters", millions(facts.num_parameters), of_cells))
    if facts.madds is not None and not run.of_targets:
        tiles.append(("multiply-adds", millions(facts.madds), of_cells))
    tiles.append(("iterations" if run.kind == "detection" else "epochs", facts.epochs, None))
    if facts.time_s is not None:
        memory = facts.peak_memory_mib
        peak = None if memory is None else f"peak memory {count(round(memory))} MiB"
        tiles.append(("time", duration(facts.time_s), peak))
    return [dict(zip(("name", "value", "note"), tile, strict=True)) for tile in tiles]


def _cells_note(run: Run) -> str:
    if run.kind == "search" and not (run.path / "genotype.json").is_file() and run.metrics:
        epoch = run.metrics[-1]["epoch"]
        return f"The search is not finished: these are the cells decoded after epoch {epoch}."
    if run.genotype and run.genotype.kind.num_inputs == 1:
        return (
            "From left to right: the output of the preceding cell, which is node 0, the operators, "
            "the other nodes, and the output, which is the last node. No label is drawn for none."
        )
    return (
        "From left to right: the outputs of the two preceding cells, the operators, the "
        "intermediate nodes, and the output, which concatenates the nodes that gray arrows leave."
    )


def size_of_cells(run: Run) -> NetworkSize:
    """Return the size of the network that the costs of a search of cells are given for."""
    return evaluation_size(run.space.family if run.space else DEFAULT_FAMILY)


def _curves_note(run: Run) -> str:
    if isinstance(run.space, ChainSpace):
        return _CURVES_NOTE_OF_CHAINS
    size = size_of_cells(run) if run.kind == "search" else ""
    return _CURVES_NOTES[run.kind].format(size=size)


def _cost_note(run: Run) -> str:
    if isinstance(run.space, ChainSpace):
        return "The network of the chain, at the size of the images of the search."
    size = size_of_cells(run)
    return f"The evaluation network of the cells with {size}, without its auxiliary head."


def _sections(context: dict[str, Any]) -> list[tuple[str, str]]:
    """Return anchor and name of the sections that the template will write."""
    sections = (
        ("frontier", "Networks of all targets", context["frontier"]),
        ("network", "Network", context["chain"]),
        ("cells", "Cells", context["cells"] or context["operators"]),
        ("operators", "Operators", context["operators"]),
        ("curves", "Curves", context["curves"]),
        ("alphas", "Architecture weights", context["alphas"]),
        ("classes", "Classes", context["evaluation"] or context["detection"]),
        ("images", "Images", context["grids"]),
        ("cost", "Cost", context["cost"] or context["search_cost"]),
        ("configuration", "Configuration", context["configuration"]),
        ("environment", "Environment", context["environment"]),
        ("repeat", "Repeat this run", context["again"] or context["started"]),
    )
    return [(anchor, name) for anchor, name, there in sections if there]
