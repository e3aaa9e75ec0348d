"""The search program, from its settings to the genotype: build the parts and run them."""

import json
from functools import partial
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy

from nas.cli.search_log import SearchLog
from nas.config import SearchConfig, run_settings
from nas.distributed.launch import Share
from nas.distributed.ranks import Ranks
from nas.distributed.session import check_ranks, format_ranks, join_ranks, prepare_network
from nas.errors import RunDirectoryError
from nas.genotype import Genotype
from nas.operators import resolve, with_details
from nas.operators.contract import check_operators, network_sizes
from nas.report.cells.diagram import draw_cells
from nas.report.html import write_report
from nas.runtime.complexity import count_parameters
from nas.runtime.compute import Compute, describe_compute, select_compute
from nas.runtime.environment import current_commit, describe_environment
from nas.runtime.run_directory import RunDirectory, SilentRunDirectory
from nas.runtime.step_memory import LONG_RUN_STEPS, StepMemory
from nas.runtime.tensorboard import SilentLog
from nas.search import Searcher, estimate_search_memory
from nas.search.data import load_search_data
from nas.signals import Stopped
from nas.space import SearchSpace, load_space
from nas.strict_yaml import is_file
from nas.supernet import Alphas, Supernet


def run_search(config: SearchConfig) -> int:
    """Search, and write the genotype and the pictures; returns the exit code."""
    space = load_space(config.space)
    resolve(space, config.plugins)
    compute = select_compute(config)
    with join_ranks(compute.device) as ranks:
        check_ranks(config, ranks, compute.device)
        memory = StepMemory(compute, config.batch_size, ranks.size, can_split=True)
        with memory.explained():
            return _run(config, space, compute, ranks, memory)


def _run(
    config: SearchConfig,
    space: SearchSpace,
    compute: Compute,
    ranks: Ranks,
    memory: StepMemory,
) -> int:
    path, device = Path(config.out), compute.device
    if not config.resume:
        ranks.on_first(lambda: RunDirectory.check_free(path))
    share = Share(ranks.rank, ranks.size)
    data = ranks.first_then_others(lambda: load_search_data(config, compute, share))
    sizes = network_sizes(data.image_shape, config.init_channels, config.num_cells)
    check_operators(space.primitives, sizes, affine=False)
    torch.manual_seed(config.seed)
    net = Supernet(
        space, data.image_shape[0], data.num_classes, config.init_channels, config.num_cells
    )
    alphas = Alphas(space, config.alpha_init_std)
    images = torch.empty((2, *data.image_shape), device="meta")
    inputs = (images, tuple(weights.detach() for weights in alphas.weights()))
    memory.estimate = lambda: estimate_search_memory(net, inputs, compute, config.order)
    alphas = alphas.to(device)
    net = compute.place(prepare_network(net, config, ranks))
    open_run = partial(_open_run, config, space, device)
    with ranks.on_first(open_run) or SilentRunDirectory(path) as run:
        log = ranks.on_first(lambda: SearchLog(run, space, alphas)) or SilentLog()
        searcher = Searcher(
            *(config, space, net, alphas, cross_entropy, data, run, [log.on_epoch]),
            *(compute, ranks),
        )
        if config.resume:
            searcher.resume()
            if searcher.epoch < config.epochs:
                run.remove("genotype.json")
        log.start(searcher.epoch)
        print(
            f"space {space.name}: {len(space.primitives)} primitives on {space.num_edges} edges; "
            f"supernet of {count_parameters(net) / 1e6:.2f} M weights; "
            f"{describe_compute(compute)}{format_ranks(config, ranks)}; "
            f"{data.num_images[0]} images for w, {data.num_images[1]} for alpha; run {run.path}"
        )
        if (config.epochs - searcher.epoch) * len(data.train_loader) >= LONG_RUN_STEPS:
            print(memory.describe())
        try:
            found = searcher.search()
        except Stopped as stopped:
            ranks.say(str(stopped))
            return stopped.exit_code
        finally:
            log.close()
        ranks.on_first(lambda: _finish(config, space, found, alphas, run))
    return 0


def _finish(
    config: SearchConfig,
    space: SearchSpace,
    found: Genotype,
    alphas: Alphas,
    run: RunDirectory,
) -> None:
    search = {
        "seed": config.seed,
        "commit": current_commit(),
        "dataset": config.dataset,
        "epochs": config.epochs,
        "architect": config.order,
        "alphas": alphas.logits(),
    }
    genotype = with_details(found, space, search, config.plugins)
    written = run.write("genotype.json", genotype.to_json())
    print(f"\n{genotype_summary(genotype)}\n\n{written}")
    for path in (*draw_cells(genotype, run.path), write_report(run.path)):
        print(path)


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
    settings = run_settings(config)
    if config.resume:
        if is_file(path / "space.yaml") and load_space(path / "space.yaml") != space:
            raise RunDirectoryError(
                f"--resume: the space {config.space!r} is no longer the one of this run "
                f"({path / 'space.yaml'}); restore its file or start another run"
            )
        run = RunDirectory.open(path)
        run.write_config(settings)
    else:
        run = RunDirectory.create(path, settings)
    run.write_missing("space.yaml", space.to_yaml)
    run.write_missing("env.json", lambda: json.dumps(describe_environment(device), indent=1) + "\n")
    return run
