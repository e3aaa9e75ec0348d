"""Write the plots of a search into its run directory, from metrics.jsonl and space.yaml."""

from pathlib import Path

from matplotlib.figure import Figure

from nas.errors import ReportError
from nas.files import write_files
from nas.png import png_bytes
from nas.report.figures.alphas import alpha_heat_map, alphas_figure
from nas.report.figures.search_curves import curves_figure
from nas.report.metrics import read_metrics
from nas.space import SearchSpace, load_space

__all__ = ["alpha_heat_map", "plot_alphas", "plot_search"]


def plot_search(run_dir: str | Path) -> Path:
    """Write curves.png: losses, accuracies, entropy, skip connections, size and learning rate.

    Args:
        run_dir: The run directory of a search, finished or not.

    Returns:
        The path of curves.png.

    Raises:
        ReportError: metrics.jsonl or space.yaml is missing or broken, or the picture cannot be
            written.
        SearchSpaceError: space.yaml is malformed.
    """
    figure = curves_figure(read_metrics(run_dir), _space_of(run_dir))
    return _save(figure, Path(run_dir) / "curves.png")


def plot_alphas(run_dir: str | Path) -> Path:
    """Write alphas.png: the softmax weights of every edge of both cells over the epochs.

    Args:
        run_dir: The run directory of a search, finished or not.

    Returns:
        The path of alphas.png.

    Raises:
        ReportError: As `plot_search`, or the alphas do not fit the space.
        SearchSpaceError: space.yaml is malformed.
    """
    figure = alphas_figure(read_metrics(run_dir), _space_of(run_dir))
    return _save(figure, Path(run_dir) / "alphas.png")


def _space_of(run_dir: str | Path) -> SearchSpace:
    path = Path(run_dir) / "space.yaml"
    if not path.is_file():
        raise ReportError(
            f"{path}: there is no such file; a search writes it when it begins, so is "
            f"{str(run_dir)!r} the run directory of a search?"
        )
    return load_space(path)


def _save(figure: Figure, path: Path) -> Path:
    return write_files({path: png_bytes(figure)})[0]
