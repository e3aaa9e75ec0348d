"""The search program, from its settings to the genotype: build the parts and run them."""

import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy

from nas.cli.search_data import load_search_data
from nas.cli.search_log import SearchLog
from nas.config import SearchConfig
from nas.errors import RunDirectoryError
from nas.operators import resolve
from nas.report.diagram import draw_cells
from nas.report.html import write_report
from nas.runtime.complexity import count_parameters
from nas.runtime.device import select_device
from nas.runtime.environment import current_commit, describe_environment
from nas.runtime.run_directory import RunDirectory
from nas.runtime.signals import Stopped
from nas.search import Searcher, with_details
from nas.space import SearchSpace, load_space
from nas.supernet import Alphas, Supernet


def run_search(config: SearchConfig) -> int:
    """Search, and write the genotype and the pictures; returns the exit code."""
    space = load_space(config.space)
    resolve(space, config.plugins)
    device = select_device(config.device)
    if not config.resume:
        RunDirectory.check_free(Path(config.out))
    data = load_search_data(config, device)
    run = _open_run(config, space, device)

    torch.manual_seed(config.seed)
    net = Supernet(
        space, data.image_shape[0], data.num_classes, config.init_channels, config.num_cells
    ).to(device, memory_format=torch.channels_last)
    alphas = Alphas(space, config.alpha_init_std).to(device)
    log = SearchLog(run, space, alphas)
    searcher = Searcher(config, space, net, alphas, cross_entropy, data, run, [log.on_epoch])
    if config.resume:
        searcher.resume()
    log.start(searcher.epoch)
    print(
        f"space {space.name}: {len(space.primitives)} primitives on {space.num_edges} edges; "
        f"supernet of {count_parameters(net) / 1e6:.2f} M weights on {device}; "
        f"{data.num_images[0]} images for w, {data.num_images[1]} for alpha; run {run.path}"
    )
    try:
        genotype = searcher.search()
    except Stopped as stopped:
        print(f"search.py: {stopped}", file=sys.stderr)
        return stopped.exit_code
    finally:
        log.close()

    search = {
        "seed": config.seed,
        "commit": current_commit(),
        "dataset": config.dataset,
        "epochs": config.epochs,
        "architect": config.architect,
        "alphas": alphas.logits(),
    }
    written = run.write("genotype.json", with_details(genotype, space, search).to_json())
    print(f"\n{genotype_summary(genotype)}\n\n{written}")
    draw: list[Callable[[], list[Path]]] = [
        lambda: draw_cells(with_details(genotype, space, search), run.path),
        lambda: [write_report(run.path)],  # and curves.png and alphas.png
    ]
    for pictures in draw:
        for path in pictures():
            print(path)
    return 0


def genotype_summary(genotype) -> str:
    """Write the two cells in lines a person can read."""
    lines = []
    for cell_type in ("normal", "reduce"):
        lines.append(f"{cell_type} cell")
        for target, node in enumerate(getattr(genotype, cell_type), start=2):
            inputs = ", ".join(f"{name} from {source}" for name, source in node)
            lines.append(f"  node {target}: {inputs}")
    return "\n".join(lines)


def _open_run(config: SearchConfig, space: SearchSpace, device: torch.device) -> RunDirectory:
    path = Path(config.out)
    settings = dataclasses.asdict(dataclasses.replace(config, resume=False))
    settings = {
        key: list(value) if isinstance(value, tuple) else value for key, value in settings.items()
    }
    if config.resume:
        run = RunDirectory.open(path)
        if load_space(path / "space.yaml") != space:
            raise RunDirectoryError(
                f"--resume: the space {config.space!r} is no longer the one of this run "
                f"({path / 'space.yaml'}); restore its file or start another run"
            )
        run.write_config(settings)
        return run
    run = RunDirectory.create(path, settings)
    run.write("space.yaml", space.to_yaml())
    run.write("env.json", json.dumps(describe_environment(device), indent=1) + "\n")
    return run
