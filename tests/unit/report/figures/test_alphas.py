import json
import math

import numpy as np
import pytest
from matplotlib import colormaps
from PIL import Image

from nas.errors import ReportError, SearchSpaceError
from nas.report.figures.alphas import alpha_heat_map, alphas_figure, weights_over_epochs
from nas.report.figures.style import style_of
from nas.report.html import write_report
from nas.report.run import read_run
from nas.space import load_space

PANELS = ("loss", "accuracy", "entropy", "num_skips", "size", "learning_rate", "madds")


@pytest.mark.parametrize("num_epochs", [1, 50])
def test_pictures_of_a_run_are_written(make_run_dir, num_epochs):
    """curves.png and alphas.png are whole pictures of a readable size, for 1 and 50 epochs."""
    run_dir = make_run_dir(num_epochs)
    write_report(run_dir)
    for path in (run_dir / "curves.png", run_dir / "alphas.png"):
        with Image.open(path) as picture:
            picture.load()
            assert picture.format == "PNG"
            assert 800 <= picture.width <= 3000 and 600 <= picture.height <= 3000
            assert len(picture.convert("RGB").getcolors(1 << 20)) > 50
    names = {"space.yaml", "metrics.jsonl", "curves.png", "alphas.png", "report.html"}
    assert {path.name for path in run_dir.iterdir()} == names


@pytest.mark.parametrize("space_name", ["darts+sandglass", "mixed_edges", "s2"])
def test_alphas_show_the_softmax_of_each_edge(make_run_dir, space_name):
    """A panel an edge and cell, a line a primitive of that edge: its softmax over the epochs."""
    run_dir = make_run_dir(5, space_name)
    space = load_space(space_name)
    records = read_run(run_dir).metrics
    panels = {axes.get_label(): axes for axes in alphas_figure(records, space).axes}
    assert len(panels) == 2 * space.num_edges
    for cell_type in ("normal", "reduce"):
        for row, (edge, primitives) in enumerate(
            zip(space.edges, getattr(space, cell_type), strict=True)
        ):
            lines = {
                line.get_label(): list(line.get_ydata())
                for line in panels[f"{cell_type} {edge[0]}->{edge[1]}"].lines
            }
            assert set(lines) == set(primitives)
            for epoch, record in enumerate(records):
                logits = record["alphas"][cell_type][row]
                total = sum(math.exp(logit) for logit in logits if logit is not None)
                for name in primitives:
                    expected = math.exp(logits[space.primitives.index(name)]) / total
                    assert lines[name][epoch] == pytest.approx(expected)


def test_lines_of_a_family_share_its_colour_and_differ_in_dashes(make_run_dir):
    """Each primitive has a look of its own, in the colour that the diagrams give its family."""
    space = load_space("darts+sandglass")
    figure = alphas_figure(read_run(make_run_dir(2)).metrics, space)
    looks = {line.get_label(): line for line in figure.axes[0].lines}
    assert looks["sep_conv_3x3"].get_color() == style_of("separable conv").line
    assert looks["sep_conv_5x5"].get_color() == style_of("separable conv").line
    assert looks["sandglass_3x3"].get_color() == style_of("sandglass").line
    pairs = {(line.get_color(), line.get_linestyle()) for line in looks.values()}
    assert len(pairs) == len(space.primitives) == 9


def test_large_logits_do_not_overflow():
    """Logits of a thousand give the weights of their differences."""
    space = load_space("s2")
    logits = [[1000.0, 1000.0 - math.log(3)]] * space.num_edges
    records = [{"epoch": 0, "alphas": {"normal": logits, "reduce": logits}}]
    weights = weights_over_epochs(records, space, "normal")
    assert weights == pytest.approx(np.tile([0.75, 0.25], (1, space.num_edges, 1)))


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.pop(),
        lambda table: table[0].pop(),
        lambda table: table[3].__setitem__(1, None),
    ],
)
def test_alphas_of_another_space_are_an_error(make_run_dir, change):
    """Alphas that do not fit space.yaml are an error, and no picture is written."""
    run_dir = make_run_dir(2)
    path = run_dir / "metrics.jsonl"
    first, second = (json.loads(line) for line in path.read_text().splitlines())
    change(second["alphas"]["reduce"])
    path.write_text(f"{json.dumps(first)}\n{json.dumps(second)}\n")
    with pytest.raises(ReportError, match=r"epoch 1: alphas\.reduce: expected 14 edges of 9"):
        write_report(run_dir)
    assert not (run_dir / "alphas.png").exists()


def test_broken_files_are_errors(make_run_dir):
    """With a broken space.yaml or metrics.jsonl, the error names the file; nothing is written."""
    run_dir = make_run_dir(2)
    (run_dir / "space.yaml").write_text("primitives: 3\n")
    with pytest.raises(SearchSpaceError, match=r"space\.yaml"):
        write_report(run_dir)
    (run_dir / "metrics.jsonl").write_text("{\n")
    with pytest.raises(ReportError, match=r"metrics\.jsonl: line 1"):
        write_report(run_dir)
    assert {path.name for path in run_dir.iterdir()} == {"space.yaml", "metrics.jsonl"}


def test_heat_map_is_an_image():
    """The heat map is an RGB image of a readable size, taller for more edges."""
    space = load_space("darts+sandglass")
    weights = np.full((14, 9), 1 / 9)
    image = alpha_heat_map(weights, space.primitives, space.row_names("normal"), "normal, epoch 3")
    assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
    assert 300 <= image.shape[0] <= 1500 and 300 <= image.shape[1] <= 1500
    few = alpha_heat_map(weights[:2], space.primitives, ("0->2", "1->2"), "normal, epoch 3")
    assert few.shape[0] < image.shape[0]


def test_heat_map_shows_the_weights():
    """Cells of weight 0 and 1 have the two ends of the colour map, a missing pair neither."""
    low, high = (colormaps["cividis"](end, bytes=True)[:3] for end in (0.0, 1.0))
    edges = ("0->2", "1->2")

    def column_of(colour, image) -> float:
        found = np.argwhere((image == colour).all(-1))
        assert len(found) > 500
        return float(np.median(found[:, 1]))

    weights = np.array([[0.0, 1.0], [np.nan, 1.0]])
    image = alpha_heat_map(weights, ("a", "b"), edges, "t")
    mirrored = alpha_heat_map(weights[:, ::-1], ("a", "b"), edges, "t")
    assert column_of(low, image) < column_of(high, image)
    assert column_of(high, mirrored) < column_of(low, mirrored)

    full = alpha_heat_map(np.nan_to_num(weights), ("a", "b"), edges, "t")
    assert (image == low).all(-1).sum() < 0.7 * (full == low).all(-1).sum()
    assert (image == 255).all(-1).sum() > (full == 255).all(-1).sum()


def test_heat_map_of_another_shape_is_an_error():
    """Weights that do not fit the edges and primitives are an error that states both shapes."""
    with pytest.raises(ReportError, match=r"shape \(3, 2\); expected \(1, 2\)"):
        alpha_heat_map(np.ones((3, 2)), ("a", "b"), ("0->2",), "t")


def test_stored_weights_are_drawn_as_they_are():
    """A method's weights need no softmax; records without them are those of DARTS."""
    space = load_space("s2")
    logits = [[0.0, math.log(3)]] * space.num_edges
    stored = [[0.9, 0.8]] * space.num_edges  # of sigmoids: they do not sum to one
    old = {"epoch": 0, "alphas": {"normal": logits, "reduce": logits}}
    new = {**old, "epoch": 1, "arch_weights": {"normal": stored, "reduce": stored}}
    weights = weights_over_epochs([old, new], space, "normal")
    assert weights[0] == pytest.approx(np.tile([0.25, 0.75], (space.num_edges, 1)))
    assert weights[1] == pytest.approx(np.tile([0.9, 0.8], (space.num_edges, 1)))
    new["arch_weights"]["normal"] = stored[1:]
    with pytest.raises(ReportError, match=r"epoch 1: arch_weights\.normal: expected 14 edges"):
        weights_over_epochs([old, new], space, "normal")


def test_weights_of_whole_edges_are_in_the_titles(make_run_dir):
    """A method that weights edges shows how much each counts."""
    run_dir = make_run_dir(2, "s2")
    records = read_run(run_dir).metrics
    space = load_space("s2")
    for record in records:
        weights = [round(0.01 * edge, 2) for edge in range(space.num_edges)]
        record["edge_weights"] = {"normal": weights, "reduce": weights}
    titles = [axes.get_title() for axes in alphas_figure(records, space).axes]
    assert titles[0] == "0->2 (edge 0.00)" and titles[13] == "4->5 (edge 0.13)"
