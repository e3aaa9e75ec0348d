"""The search program, from its settings to the genotype and its pictures."""

import logging

from nas.cli.command import run_to_end
from nas.cli.search_log import SearchLog
from nas.config import SearchConfig
from nas.errors import ReportError
from nas.genotype import Chain, Genotype
from nas.genotype.frontier import FILE_NAME
from nas.report.html import write_report
from nas.search.frontier import FrontierResult, search_frontier
from nas.search.kind import Found
from nas.search.run import SearchResult, search
from nas.space import get_family

_LOGGER = logging.getLogger(__name__)


def run_search(config: SearchConfig) -> int:
    """Search, and write the genotype and the pictures; returns the exit code."""
    if config.targets is not None:
        return run_to_end(
            lambda: search_frontier(config, make_log=SearchLog, announce=print), _finish_frontier
        )
    return run_to_end(lambda: search(config, make_log=SearchLog, announce=print), _finish)


def _finish(result: SearchResult) -> None:
    found = result.found
    print(f"\n{format_found(found)}\n\n{result.path / result.file_name}")
    draw = get_family(found.family).load("draw")
    try:
        print(*draw(found, result.path), write_report(result.path), sep="\n")
    except ReportError as error:  # a picture is not worth a search
        _LOGGER.warning("no picture: %s", error)


def _finish_frontier(result: FrontierResult) -> None:
    for network, point in zip(result.networks, result.frontier.networks, strict=True):
        _finish(SearchResult(network, result.path / point.name, stop=None))
    for point in result.frontier.networks:
        print(
            f"{point.name}: {point.madds:,} multiply-adds, {point.accuracy:.2f} % in the supernet"
        )
    print(result.path / FILE_NAME)
    try:
        print(write_report(result.path))
    except ReportError as error:  # a picture is not worth a search
        _LOGGER.warning("no picture: %s", error)


def format_found(found: Found) -> str:
    """Write what was found in lines a person can read."""
    return format_chain(found) if isinstance(found, Chain) else format_cells(found)


def format_chain(chain: Chain) -> str:
    """Write the blocks of a network stage by stage."""
    return "\n".join(
        f"stage {number}: {', '.join(names)}" for number, names in enumerate(chain.stages)
    )


def format_cells(genotype: Genotype) -> str:
    """Write the cells in lines a person can read."""
    kind = genotype.kind
    lines = []
    for cell_type in kind.cell_types:
        lines.append(f"{cell_type} cell" if len(kind.cell_types) > 1 else genotype.to_text())
        for target, node in enumerate(getattr(genotype, cell_type), start=kind.num_inputs):
            inputs = ", ".join(f"{name} from {source}" for name, source in node)
            lines.append(f"  node {target}: {inputs}")
    return "\n".join(lines)
