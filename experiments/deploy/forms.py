"""What each form of a partial shortcut costs in ONNX Runtime, at batch 1: forms.md and forms.json.

python experiments/deploy/forms.py
"""

import argparse
import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx
import onnxruntime
import torch
from torch import Tensor, nn

from nas.deploy.candidates import build_candidates
from nas.deploy.latency import time_calls
from nas.deploy.source import Source, read_source
from nas.files import write_files
from nas.layers import Sandglass
from nas.runtime.environment import describe_environment

RATIOS = ("1", "1/2", "1/3", "1/6")
ENGINES = ("onnx_fp32", "onnx_int8")
COPIES = ("ScatterND", "Slice", "Split", "Concat")
"""Operators that a form may cost; the table counts them in fp32."""


class _Block(nn.Module):
    """A sandglass block whose sum is written in another form."""

    def __init__(self, block: Sandglass):
        super().__init__()
        self.conv = block.conv
        self.channels = block.shortcut_channels


class InPlace(_Block):
    """A sum into a part of the tensor, as the authors write it."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same."""
        y, k = self.conv(x), self.channels
        y[:, :k] = y[:, :k] + x[:, :k]
        return y


class Concatenated(_Block):
    """Slice, add, concatenate."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same."""
        y, k = self.conv(x), self.channels
        return torch.cat([y[:, :k] + x[:, :k], y[:, k:]], dim=1)


def networks(image_size: int) -> dict[tuple[str, str], Source]:
    """Build the network in each form: (form, identity_ratio) -> source."""
    wanted = [("no shortcut", "0", None), ("full sum", "1", None)]
    wanted += [("two streams (ours)", ratio, None) for ratio in RATIOS[1:]]
    wanted += [("slice, add, concatenate", ratio, Concatenated) for ratio in RATIOS]
    wanted += [("in place", ratio, InPlace) for ratio in RATIOS]
    found = {}
    for form, ratio, block in wanted:
        source = read_source(f"mobilenext_1.0,identity_ratio={ratio}", image_size)
        if block is not None:
            for index, layer in enumerate(source.net.features):
                if isinstance(layer, Sandglass) and layer.shortcut_channels:
                    source.net.features[index] = block(layer)
        found[form, ratio] = source
    return found


def measure(image_size: int, threads: list[int], num_calls: int) -> list[dict]:
    """Time every form in both precisions, a number of threads after the other; all take turns."""
    sources = networks(image_size)
    image = torch.randn(1, 3, image_size, image_size, generator=torch.Generator().manual_seed(0))
    rows = []
    with TemporaryDirectory() as folder:
        for num_threads in threads:
            calls, facts = {}, {}
            for index, ((form, ratio), source) in enumerate(sources.items()):
                stem = Path(folder) / str(index)
                for built in build_candidates(source, ENGINES, num_threads, stem):
                    name = f"{index} {built.engine}"
                    calls[name] = lambda net=built.net: net(image)
                    facts[name] = {"form": form, "ratio": ratio, "engine": built.engine}
                    nodes = onnx.load(f"{stem}-{built.engine}.onnx").graph.node
                    counts = Counter(node.op_type for node in nodes)
                    facts[name]["copies"] = {op: counts[op] for op in COPIES if counts[op]}
            for name, latency in time_calls(calls, num_calls).items():
                rows.append({**facts[name], "threads": num_threads, "latency": asdict(latency)})
    return rows


def markdown(rows: list[dict], num_calls: int, environment: dict) -> str:
    """Return the table: medians, and in brackets how many times that of the full sum."""
    columns = list(dict.fromkeys((row["engine"], row["threads"]) for row in rows))
    medians = {
        (row["form"], row["ratio"], row["engine"], row["threads"]): row["latency"]["median_ms"]
        for row in rows
    }
    copies = {(r["form"], r["ratio"]): r["copies"] for r in rows if r["engine"] == ENGINES[0]}
    heads = [f"{engine.removeprefix('onnx_')}, threads: {n}" for engine, n in columns]
    lines = [f"| form | `identity_ratio` | operators | {' | '.join(heads)} |"]
    lines.append("|---|---|---" + "|---:" * len(columns) + "|")
    for (form, ratio), counts in copies.items():
        cells = []
        for column in columns:
            median = medians[form, ratio, *column]
            cells.append(f"{median:.2f} ({median / medians['full sum', '1', *column]:.2f})")
        shown = ", ".join(f"{count} {name}" for name, count in counts.items())
        lines.append(f"| {form} | {ratio} | {shown} | {' | '.join(cells)} |")
    lines += [
        "",
        f"Median milliseconds of {num_calls} calls of `mobilenext_1.0` at batch 1, all in turns; "
        f"in brackets: times the full sum. {environment['cpu']}, {environment['num_cpus']} cores, "
        f"ONNX Runtime {environment['onnxruntime']}, torch {environment['torch']}.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--calls", type=int, default=100, help="timed calls of each (default 100)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--image_size", type=int, default=224)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    arguments = parser.parse_args()
    rows = measure(arguments.image_size, arguments.threads, arguments.calls)
    environment = describe_environment(torch.device("cpu"))
    environment |= {"onnxruntime": onnxruntime.__version__, "onnx": onnx.__version__}
    num_calls = rows[0]["latency"]["num_calls"]
    table = markdown(rows, num_calls, environment)
    document = {"image_size": arguments.image_size, "rows": rows, "environment": environment}
    write_files(
        {
            arguments.out / "forms.json": (json.dumps(document, indent=1) + "\n").encode(),
            arguments.out / "forms.md": table.encode(),
        }
    )
    print(table, end="")


if __name__ == "__main__":
    main()
