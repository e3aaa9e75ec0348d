"""How far random networks differ in each supernet, and how far counting images alone lets them.

    python experiments/chain_small/spread.py

The first networks that a search tests are random; each is tested on the same number of images.
"""

import json
import math
import statistics
from pathlib import Path

import yaml

from nas.config.choice import read_choice

HERE = Path(__file__).parent


def main() -> None:
    """Print a line for each search."""
    for path in sorted(HERE.glob("search/*/selection/tested.jsonl")):
        run = path.parents[1]
        config = yaml.safe_load((run / "config.yaml").read_text())
        selection = read_choice(config["selection"], "selection").settings
        num_images = config["batch_size"] * int(selection["val_batches"])
        lines = path.read_text().splitlines()[: int(selection["population"])]
        accuracies = [json.loads(line)["accuracy"] for line in lines]
        p = statistics.mean(accuracies) / 100
        counting = 100 * math.sqrt(p * (1 - p) / num_images)
        print(
            f"{config['space']} seed {config['seed']}: {100 * p:.1f} %, between "
            f"{len(lines)} networks {statistics.stdev(accuracies):.2f}, counting {counting:.2f}"
        )


if __name__ == "__main__":
    main()
