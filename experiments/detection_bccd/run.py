"""Pretrain both backbones, train all detectors and write results.md; what is finished is skipped.

    python experiments/detection_bccd/run.py --cifar CIFAR_FOLDER --bccd BCCD_FOLDER

The same command continues what was stopped. `--out` names the folder of the runs. `--backbone`
makes only the runs of one backbone, so that two processes can share the work; the table has all
finished runs.
"""

import argparse
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from nas.detection_record import DetectionEvaluation, read_detection
from nas.records import parse_object
from nas.report.checks import TIMING, check_timing, read_epochs

HERE = Path(__file__).parent
BACKBONES = ("mobilenext", "mobilenet_v2")
SEEDS = (0, 1, 2)
CLASSES = ("Platelets", "RBC", "WBC")
COLUMNS = (
    *("backbone", "start", "seed", "mAP (11 points)", "area", "COCO", *CLASSES),
    *("minutes", "commit", "date"),
)
MEANS = ("backbone", "start", "runs", "mAP (11 points), mean", "standard deviation")


class Run(NamedTuple):
    """One training of a detector."""

    backbone: str
    pretrained: bool
    seed: int

    @property
    def name(self) -> str:
        """The folder of the run."""
        return f"{self.backbone}_{'pretrained' if self.pretrained else 'scratch'}-seed{self.seed}"

    @property
    def start(self) -> str:
        """Where the weights of the backbone are from."""
        return "CIFAR-10 (JPEG)" if self.pretrained else "random"


RUNS = (
    *(Run(backbone, True, seed) for seed in SEEDS for backbone in BACKBONES),
    *(Run(backbone, False, 0) for backbone in BACKBONES),
)


def main() -> None:
    """Do what the first line of this file says."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cifar", required=True, help="CIFAR-10 as image folders, train and test")
    parser.add_argument("--bccd", required=True, help="BCCD in the form of Pascal VOC")
    parser.add_argument("--out", type=Path, default=HERE / "runs")
    parser.add_argument("--backbone", choices=BACKBONES, help="make the runs of this one only")
    given = parser.parse_args()
    wanted = (given.backbone,) if given.backbone else BACKBONES
    for run in RUNS:
        if run.backbone not in wanted:
            continue
        words = [f"--config={HERE / 'detect.yaml'}", f"--data={given.bccd}", f"--seed={run.seed}"]
        words.append(f"--model=ssdlite320_{run.backbone}_0.5")
        if run.pretrained:
            weights = given.out / f"{run.backbone}_backbone"
            settings = [f"--config={HERE / 'pretrain.yaml'}", f"--data={given.cifar}"]
            make(weights, "evaluation.json", "train", *settings, f"--model={run.backbone}_0.5")
            words.append(f"--backbone_weights={weights}")
        make(given.out / run.name, "detection.json", "detect", "train", *words)
        (HERE / "results.md").write_text(results(given.out))
    print(results(given.out))
    write_pictures(given.out / RUNS[0].name)


def make(out: Path, result: str, *words: str) -> None:
    """Start or continue a run of `nas` unless it is finished."""
    if (out / result).is_file():
        return
    resume = ["--resume"] if (out / "config.yaml").is_file() else []
    subprocess.run([sys.executable, "-m", "nas", *words, f"--out={out}", *resume], check=True)


def results(out: Path) -> str:
    """Return the tables of all runs that are finished, and what they were made with."""
    finished = {run: read_detection(file) for run in RUNS if (file := result_of(out, run)).exists()}
    lines = [line(COLUMNS), line(["---"] * len(COLUMNS))]
    lines += [line(row(out, run, evaluation)) for run, evaluation in finished.items()]
    lines += ["", line(MEANS), line(["---"] * len(MEANS)), *map(line, summary(finished))]
    return "\n".join([*lines, "", *hardware(out, finished), ""])


def result_of(out: Path, run: Run) -> Path:
    """Return the file that a finished run has."""
    return out / run.name / "detection.json"


def line(cells: Any) -> str:
    """Return a line of a table."""
    return f"| {' | '.join(map(str, cells))} |"


def row(out: Path, run: Run, evaluation: DetectionEvaluation) -> list[object]:
    """Return the cells of a run."""
    path = out / run.name
    by_class = dict(zip(evaluation.classes, evaluation.ap_11, strict=True))
    means = evaluation.map_11, evaluation.map_area, evaluation.map_coco
    values = [f"{value:.2f}" for value in (*means, *(by_class[name] for name in CLASSES))]
    timing = read_epochs(path / TIMING, check_timing)
    minutes = sum(float(record["time_s"]) for record in timing) / 60
    made = environment(path)
    name, commit = f"{run.backbone} 0.5", str(made["commit"])[:12]
    return [
        name,
        run.start,
        run.seed,
        *values,
        f"{minutes:.0f}",
        commit,
        str(made.get("started", "-"))[:10],
    ]


def summary(finished: dict[Run, DetectionEvaluation]) -> list[list[object]]:
    """Return mean and standard deviation of each kind of run."""
    rows: list[list[object]] = []
    for backbone, pretrained, _ in dict.fromkeys(run._replace(seed=0) for run in finished):
        chosen = {
            run: evaluation.map_11
            for run, evaluation in finished.items()
            if run[:2] == (backbone, pretrained)
        }
        start = next(iter(chosen)).start
        values = list(chosen.values())
        deviation = f"{statistics.stdev(values):.2f}" if len(values) > 1 else "-"
        mean = f"{statistics.fmean(values):.2f}"
        rows.append([f"{backbone} 0.5", start, len(values), mean, deviation])
    return rows


def hardware(out: Path, finished: dict[Run, DetectionEvaluation]) -> list[str]:
    """Return a line for each machine that made some of the runs."""
    machines = {
        "{cpu}, {num_cpus} cores, of which a run uses {num_threads}, torch {torch}".format(
            **environment(out / run.name)
        )
        for run in finished
    }
    return sorted(machines)


def environment(path: Path) -> dict[str, Any]:
    """Return what a run was made with."""
    file = path / "env.json"
    return parse_object(file.read_text(), str(file))


def write_pictures(path: Path) -> None:
    """Write the test images on which a run does best and worst, small enough for this folder."""
    for name in ("best", "worst"):
        if (path / f"{name}.png").is_file():
            with Image.open(path / f"{name}.png") as picture:
                picture.convert("RGB").save(HERE / f"{name}.jpg", quality=80)


if __name__ == "__main__":
    main()
