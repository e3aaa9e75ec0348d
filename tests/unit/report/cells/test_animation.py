"""cells.gif: the cells of a search over its epochs."""

import json

import pytest
from PIL import Image

from nas.cli.report import main
from nas.errors import ReportError
from nas.genotype import load_genotype
from nas.report.cells.animation import cell_changes, write_gif
from nas.report.run import read_run

KEYS = ("normal", "normal_concat", "reduce", "reduce_concat")


@pytest.fixture
def make_changing_dir(make_search_dir):
    """Return a function that makes a search whose cells are the named ones, epoch by epoch."""

    def make(*names: str):
        run_dir = make_search_dir(len(names))
        path = run_dir / "metrics.jsonl"
        records = [json.loads(line) for line in path.read_text().splitlines()]
        for record, name in zip(records, names, strict=True):
            record["genotype"] = {key: getattr(load_genotype(name), key) for key in KEYS}
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        return run_dir

    return make


@pytest.mark.usefixtures("blank_pictures")
def test_a_frame_for_every_change(make_changing_dir, capsys):
    """Epochs that leave the cells as they were have no frame; the last frame stays longest."""
    run_dir = make_changing_dir("DARTS_V1", "DARTS_V1", "DARTS_V2", "DARTS_V1")
    assert [epoch for epoch, _ in cell_changes(read_run(run_dir))] == [0, 2, 3]
    assert main(["--gif", str(run_dir)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(run_dir / "cells.gif")
    with Image.open(run_dir / "cells.gif") as picture:
        assert picture.n_frames == 3 and picture.width <= 1000
        frames, times = [], []
        for index in range(3):
            picture.seek(index)
            times.append(picture.info["duration"])
            frames.append(picture.convert("RGB").tobytes())
    assert len(set(frames)) == 3  # the titles name the epochs
    assert times[0] == times[1] < times[2]


def test_nothing_to_animate_is_an_error(make_changing_dir, make_training_dir):
    """Cells that never changed, and the run of a training run, are errors that say so."""
    run_dir = make_changing_dir("DARTS_V1", "DARTS_V1")
    with pytest.raises(ReportError, match="the cells did not change in 2 epochs"):
        write_gif(run_dir)
    with pytest.raises(ReportError, match="the cells of a training run do not change"):
        write_gif(make_training_dir(1))
    assert not (run_dir / "cells.gif").exists()
