"""Pretrain both backbones, train all detectors and write results.md; what is finished is skipped.

    python experiments/detection_bccd/run.py --cifar CIFAR_FOLDER --bccd BCCD_FOLDER

The same command continues what was stopped. `--out` names the folder of the runs.
"""

import argparse
import statistics
import subprocess
import sys
from pathlib import Path

from nas.detection_record import DetectionEvaluation, read_detection

HERE = Path(__file__).parent
BACKBONES = ("mobilenext", "mobilenet_v2")
RUNS = [
    *((name, True, seed) for seed in (0, 1, 2) for name in BACKBONES),
    *((name, False, 0) for name in BACKBONES),
]
HEADER = """The last three columns are average precisions of classes, by the 11 points.

| backbone | start | seed | mAP (11 points) | area | COCO | Platelets | RBC | WBC |
|---|---|---:|---:|---:|---:|---:|---:|---:|
"""


def run(out: Path, result: str, words: list[str]) -> None:
    """Start or continue a run of `nas` unless it is finished."""
    if (out / result).is_file():
        return
    resume = ["--resume"] if (out / "config.yaml").is_file() else []
    subprocess.run([sys.executable, "-m", "nas", *words, f"--out={out}", *resume], check=True)


def name_of(backbone: str, pretrained: bool, seed: int) -> str:
    """Name the folder of a run."""
    return f"{backbone}_{'pretrained' if pretrained else 'scratch'}-seed{seed}"


def row(run: tuple[str, bool, int], evaluation: DetectionEvaluation) -> str:
    """Return a line of the table."""
    means = (evaluation.map_11, evaluation.map_area, evaluation.map_coco, *evaluation.ap_11)
    start = "CIFAR-10" if run[1] else "random"
    figures = " | ".join("-" if value is None else f"{value:.2f}" for value in means)
    return f"| {run[0]} 0.5 | {start} | {run[2]} | {figures} |\n"


def main() -> None:
    """Do what the first line of this file says."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cifar", required=True, help="CIFAR-10 as image folders, train and test")
    parser.add_argument("--bccd", required=True, help="BCCD in the form of Pascal VOC")
    parser.add_argument("--out", type=Path, default=Path("runs/detection_bccd"))
    given = parser.parse_args()
    for backbone in BACKBONES:
        settings = [f"--config={HERE / 'pretrain.yaml'}", f"--data={given.cifar}"]
        words = ["train", *settings, f"--model={backbone}_0.5"]
        run(given.out / f"{backbone}_backbone", "evaluation.json", words)
    lines = []
    for backbone, pretrained, seed in RUNS:
        out = given.out / name_of(backbone, pretrained, seed)
        settings = [f"--config={HERE / 'detect.yaml'}", f"--data={given.bccd}", f"--seed={seed}"]
        words = ["detect", "train", *settings, f"--model=ssdlite320_{backbone}_0.5"]
        if pretrained:
            words.append(f"--backbone_weights={given.out / f'{backbone}_backbone'}")
        run(out, "detection.json", words)
        lines.append(row((backbone, pretrained, seed), read_detection(out / "detection.json")))
        (given.out / "results.md").write_text(HEADER + "".join(lines))
    print(HEADER + "".join(lines))
    for backbone in BACKBONES:
        folders = [given.out / name_of(backbone, True, seed) for seed in (0, 1, 2)]
        mean = statistics.fmean(read_detection(path / "detection.json").map_11 for path in folders)
        print(f"{backbone} 0.5, pretrained, mean of three seeds: {mean:.2f} %")


if __name__ == "__main__":
    main()
