"""Searches and architectures looked up in a table, and the program that does it."""

import statistics
from pathlib import Path

import pytest

from nas.cli.oracle import main
from nas.genotype import Genotype, load_genotype
from nas.oracle import read_table
from nas.oracle.figure import regret_figure
from nas.oracle.judge import judge, spreads
from nas.oracle.table import OracleError
from tests.unit.oracle.conftest import ARCHS


def test_a_search_is_looked_up_at_every_epoch(write_table, write_run):
    """And at its end, which genotype.json says where it is there."""
    table = read_table(write_table())
    run = write_run("run", [ARCHS[0], ARCHS[6]])
    (judged,) = judge(table, [run])
    assert [verdict.place.regret for verdict in judged.epochs] == [70, 10]
    assert (judged.arch, judged.place.rank, judged.is_finished) == (ARCHS[6], 2, True)
    (axes,) = regret_figure(table, [judged]).axes
    assert list(axes.lines[0].get_xdata()) == [0, 1]
    assert list(axes.lines[0].get_ydata()) == [70, 10]
    random, best_of_10 = axes.lines[1:]
    assert random.get_ydata()[0] == 80 - 30 and best_of_10.get_ydata()[0] == 0


def test_an_unfinished_search_has_the_cell_of_its_last_epoch(write_table, write_run, capsys):
    run = write_run("run", [ARCHS[1], ARCHS[4]], finished=False)
    (judged,) = judge(read_table(write_table()), [run])
    assert (judged.arch, judged.is_finished) == (ARCHS[4], False)
    assert main([str(write_table()), run]) == 0
    assert "(not finished)" in capsys.readouterr().out


def test_seeds_are_a_group_and_other_settings_another(write_table, write_run):
    """Mean and standard deviation over the seeds, per method and per other settings."""
    table = read_table(write_table())
    runs = [
        write_run("a", [ARCHS[4]], seed=0),
        write_run("b", [ARCHS[7]], seed=1),
        write_run("c", [ARCHS[7]], seed=1, epochs=9),
        write_run("d", [ARCHS[0]], seed=0, method="gdas"),
        write_run("e", [ARCHS[0]], seed=0, order="second_order"),
    ]
    groups = spreads(judge(table, runs))
    names = ["darts", "darts (2)", "gdas", "darts, second_order"]
    assert [group.group for group in groups] == names
    first = groups[0]
    assert (first.num_seeds, first.mean, first.worst, first.regret) == (2, 65, 50, 15)
    assert first.std == pytest.approx(statistics.stdev([50, 80]))
    assert first.percentile == pytest.approx((50 + 87.5) / 2)
    assert groups[1].std is None


def test_the_program(write_table, write_run, tmp_path, capsys, monkeypatch):
    """One search: its epochs, and the picture in its folder. Several: the picture here."""
    monkeypatch.chdir(tmp_path)
    table = str(write_table())
    runs = [write_run("a", [ARCHS[4], ARCHS[5]], seed=0), write_run("b", [ARCHS[7]], seed=1)]
    assert main([table, runs[0]]) == 0
    out = capsys.readouterr().out
    assert "8 architectures, the best has 80.00 %" in out
    assert f"1         60.00     3       62.50   20.00  {ARCHS[5]}" in out
    assert (tmp_path / "a" / "regret.png").read_bytes().startswith(b"\x89PNG")
    assert main([table, *runs, ARCHS[6], "--dataset=second"]) == 0
    out = capsys.readouterr().out
    assert "darts       2     35.00  7.07  30.00" in out
    assert (tmp_path / "regret.png").is_file()
    # P(best of 2 = x_i) = (2 i - 1) / 64
    mean = sum(x * (2 * i - 1) for i, x in enumerate((5, 10, 15, 15, 25, 30, 35, 40), 1)) / 64
    assert f"\n2        {mean:.2f}" in out


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["|x~0|"], ["|x~0|: has 1 nodes after the input", "have 2"]),
        (["|x~0|+|x~0|y~1|"], ["unknown operator 'y'"]),
        (["|x~0|+|x~0|"], ["node 2: found 1 operators"]),
        (["DARTS_V2"], ["DARTS_V2: is a cell of the family cell"]),
        (["nowhere"], ["genotype 'nowhere'"]),
        ([], ["RUN|ARCHITECTURE is missing"]),
        ([ARCHS[0], ARCHS[0]], ["named twice"]),
        ([ARCHS[0], "--dataset=third"], ["--dataset: ", "no column 'third'"]),
        ([ARCHS[0], "--out=x.png"], ["--out: nothing to draw"]),
    ],
)
def test_bad_input_is_one_clear_line(write_table, capsys, arguments, parts):
    assert main([str(write_table()), *arguments]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert all(part in line for part in parts), line


def test_another_operator_is_not_credited_with_that_of_the_benchmark(write_table, write_run):
    """The pooling of the DARTS space has the name of another operator of the benchmark."""
    cells = [f"|{a}~0|" for a in ("none", "avg_pool_3x3")]
    table = read_table(write_table(["arch,first", f"{cells[0]},10", f"{cells[1]},20"]))
    ours = Genotype(((("avg_pool_3x3", 0),),), family="nasbench201")
    path = Path(write_run("mine", [cells[1]]))
    (path / "genotype.json").write_text(ours.to_json())
    with pytest.raises(
        OracleError, match=r"mine: .*unknown operator 'darts_avg_pool_3x3'"
    ) as error:
        judge(table, [str(path)])
    assert error.value.__cause__ is not error.value
    with pytest.raises(OracleError) as error:
        judge(table, [ours.to_text()])
    assert error.value.__cause__ is None


def test_a_run_of_another_space_or_kind(write_table, write_run, tmp_path, capsys):
    table = str(write_table())
    other = write_run("other", ["|z~0|+|x~0|x~1|"])
    assert main([table, other]) == 2
    assert f"{other}: |z~0|+|x~0|x~1|: unknown operator 'z'" in capsys.readouterr().err
    training = tmp_path / "training"
    training.mkdir()
    (training / "config.yaml").write_text("genotype: DARTS_V2\n")
    (training / "genotype.json").write_text(load_genotype("DARTS_V2").to_json())
    assert main([table, str(training)]) == 2
    assert "is a training run; name the run directory of a search" in capsys.readouterr().err


def test_many_groups_have_a_panel_each(write_table, write_run):
    """With the same range, and each with the lines of its own seeds and of chance."""
    table = read_table(write_table())
    runs = [write_run(f"r{i}", [ARCHS[i]], method=f"m{i}") for i in range(7)]
    runs.append(write_run("again", [ARCHS[7]], method="m0", seed=1))
    figure = regret_figure(table, judge(table, runs))
    assert [len(axes.lines) for axes in figure.axes] == [4, 3, 3, 3, 3, 3, 3]
    assert [axes.get_title() for axes in figure.axes] == [f"m{i}" for i in range(7)]
    assert len({axes.get_ylim() for axes in figure.axes}) == 1
    assert list(figure.axes[1].lines[0].get_ydata()) == [80 - 20]
