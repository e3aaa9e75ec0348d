"""One command from an experiment to a table, whatever happens in between."""

import json
import signal
import subprocess
import sys
import time

import pytest

from nas.cli.experiment import INCOMPLETE, main
from nas.genotype import load_genotype
from nas.runtime.checkpoint import list_checkpoints
from tests.e2e.runs import SPACE, TINY

EPOCHS = 12


@pytest.fixture
def folder(tmp_path):
    """A search and two retrains, of seconds."""
    (tmp_path / "experiment.yaml").write_text(
        f"title: Tiny\nsearch_config: search.yaml\nspaces: ['{SPACE}']\nsearch_seeds: [0]\n"
        "augment_config: augment.yaml\naugment_seeds: [0, 1]\n"
    )
    small = {key: value for key, value in TINY.items() if key != "space"} | {"epochs": 1}
    for name in ("search", "augment"):
        lines = [f"{key}: {value}\n" for key, value in small.items()]
        (tmp_path / f"{name}.yaml").write_text("".join(lines))
    return tmp_path


def test_all_at_once_and_then_nothing_to_do(folder, capsys):
    """The table at the end; a second call runs nothing and writes the same bytes."""
    file = folder / "experiment.yaml"
    file.write_text(file.read_text().replace("augment_seeds: [0, 1]", "augment_seeds: [0]"))
    assert main([str(folder), "--jobs", "2"]) == 0
    first = (folder / "results.md").read_bytes()
    stamps = {path: path.stat().st_mtime_ns for path in folder.glob("*/*/evaluation.json")}
    said = capsys.readouterr()
    assert len(stamps) == 1 and "Tiny" in said.out and "finished" in said.err
    assert main([str(folder)]) == 0
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps
    assert (folder / "results.md").read_bytes() == first
    assert "start" not in capsys.readouterr().err


def test_a_failed_run_is_reported_and_repeated(folder, capsys):
    """What needs a failed search is not run; the next call tries again."""
    (folder / "search.yaml").write_text("dataset: imagefolder\nimage_size: 32\ndata: nowhere\n")
    assert main([str(folder)]) == INCOMPLETE
    said = capsys.readouterr()
    assert "there is no folder" in said.out + said.err
    assert "3 runs left" in said.err


@pytest.mark.slow
def test_killed_and_continued(folder):
    """SIGTERM stops the run in order; the next call resumes it; two at a time are refused."""
    text = (folder / "search.yaml").read_text().replace("epochs: 1", f"epochs: {EPOCHS}")
    (folder / "search.yaml").write_text(text)
    command = [sys.executable, "-m", "nas.experiments", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline_s = time.monotonic() + 60
    while not [*folder.glob("search/*/checkpoints/step_*.pt")]:
        assert time.monotonic() < deadline_s and process.poll() is None
        time.sleep(0.1)
    second = subprocess.run(command, capture_output=True, text=True)
    assert second.returncode == 2 and "going on already" in second.stderr
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == INCOMPLETE and "it will be resumed" in err, out
    (search,) = folder.glob("search/*")
    assert list_checkpoints(search / "checkpoints") and not (search / "genotype.json").exists()
    lines = len((search / "metrics.jsonl").read_text().splitlines())
    assert 1 <= lines < EPOCHS
    # What is left in 0.02 minutes is not enough either: it stops by itself and can go on.
    assert main([str(folder), "--max_minutes", "0.02"]) == INCOMPLETE
    assert not (search / "genotype.json").exists()
    assert main([str(folder), "--jobs", "2"]) == 0
    epochs = [
        json.loads(line)["epoch"] for line in (search / "metrics.jsonl").read_text().splitlines()
    ]
    assert epochs == list(range(EPOCHS))
    assert "3 of 3 runs are finished" in (folder / "results.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--jobs", "0"], "--jobs"),
        (["--max_minutes", "nan"], "--max_minutes"),
        (["--max_minutes", "-1"], "--max_minutes"),
        (["--plan", "--jobs", "2"], "one run after another"),
        (["--plan", "--cluster", "slurm"], "one run after another"),
    ],
)
def test_bad_flags(folder, capsys, arguments, message):
    assert main([str(folder), *arguments]) == 2
    assert message in capsys.readouterr().err


def test_no_experiment(tmp_path, capsys):
    assert main([str(tmp_path)]) == 2
    assert "experiment.yaml" in capsys.readouterr().err


def test_plan(folder, capsys):
    """It lists the runs and starts none."""
    assert main([str(folder), "--plan"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith("missing") for line in lines[:3]) and lines[3] == ""
    assert lines[4] == "0 of 3 runs are finished."
    assert {path.name for path in folder.iterdir()} == {
        *("augment.yaml", "experiment.yaml", "search.yaml")
    }


@pytest.mark.slow
def test_a_genotype_chooses_no_code(folder, tmp_path):
    """The table imports no plug-in that only a genotype file names."""
    plugin = tmp_path / "evil.py"
    plugin.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    document = json.loads(load_genotype("DARTS_V2").to_json())
    document["space"] = {"name": "x", "num_nodes": 4, "primitives": [], "plugins": [str(plugin)]}
    (tmp_path / "cell.json").write_text(json.dumps(document))
    (folder / "experiment.yaml").write_text(
        f"augment_config: augment.yaml\naugment_seeds: [0]\ngenotypes: ['{tmp_path}/cell.json']\n"
    )
    assert main([str(folder)]) == 0
    assert not (tmp_path / "ran").exists()
    # Another cell under the same name is noticed, and so is a cell from elsewhere.
    (tmp_path / "cell.json").write_text(load_genotype("DARTS_V1").to_json())
    assert main([str(folder)]) == 2


@pytest.mark.slow
def test_a_plugin_of_the_settings_is_used(folder):
    """Searched, trained and counted, in an experiment that was moved in between."""
    (folder / "my_op.py").write_text(
        "from torch import nn\nfrom nas.operators import register_operator\n"
        "@register_operator('claimed_conv')\ndef build(channels, stride, *, affine):\n"
        "    return nn.Conv2d(channels, channels, 1, stride)\n"
    )
    for name in ("search", "augment"):
        with (folder / f"{name}.yaml").open("a") as stream:
            stream.write(f"plugins: ['{folder}/my_op.py']\n")
    text = (folder / "experiment.yaml").read_text().replace(f"'{SPACE}'", "claimed_conv")
    (folder / "experiment.yaml").write_text(text.replace("[0, 1]", "[0]"))
    assert main([str(folder)]) == 0
    moved = folder.with_name(f"{folder.name}-moved")
    folder.rename(moved)
    moved.joinpath("my_op.py").rename(folder.parent / "my_op.py")
    folder.mkdir()
    (folder.parent / "my_op.py").rename(folder / "my_op.py")
    assert main([str(moved)]) == 0
    assert "`claimed_conv` | 1 | 1 |" in (moved / "results.md").read_text()


@pytest.mark.slow
def test_networks_of_a_chain(tmp_path, capsys):
    """Searched and random networks of a budget and a named one, trained with the same settings."""
    (tmp_path / "experiment.yaml").write_text(
        "title: Chains\nsearch_config: search.yaml\nspaces: [mobilenext_chain_32]\n"
        "methods: [gdas, random]\nsearch_seeds: [0]\naugment_config: augment.yaml\n"
        "models: [mobilenext_0.35]\naugment_seeds: [0]\n"
    )
    images = "dataset: shapes\nimage_size: 32\nmax_images: 64\nbatch_size: 16\nepochs: 1\n"
    (tmp_path / "search.yaml").write_text(f"{images}target: madds=20e6,warmup_epochs=0\n")
    (tmp_path / "augment.yaml").write_text(images)
    assert main([str(tmp_path)]) == 0
    table = capsys.readouterr().out
    assert "| networks | different | trainings | test error (%) | between networks (%) |" in table
    assert "full size" not in table
    searched, drawn, named = json.loads((tmp_path / "results.json").read_text())["rows"]
    for row in (searched, drawn):
        assert row["num_trainings"] == 1 and row["madds"] and not row["num_parameters_full_size"]
    assert abs(drawn["madds"][0] - 20e6) <= 0.03 * 20e6
    assert named["num_trainings"] == 1
    assert main([str(tmp_path)]) == 0
    assert "start" not in capsys.readouterr().err
