"""Many searches by one command: here, and as jobs through submitit."""

import json
import threading
import time

import pytest
import yaml

from nas.cli.search import main as search
from nas.cli.sweep import INCOMPLETE, main
from nas.config import parse_settings
from nas.errors import ConfigError
from nas.experiments.options import SweepSettings
from nas.experiments.run import plan_sweep
from nas.experiments.slurm import RunJob, SlurmExecutor
from tests.e2e.runs import TINY, flags


@pytest.fixture
def settings_file(tmp_path):
    """The settings of tiny searches, but for the space."""
    path = tmp_path / "search.yaml"
    path.write_text(yaml.safe_dump({key: TINY[key] for key in TINY if key != "space"}))
    return path


def test_every_space_with_every_seed(tmp_path, settings_file):
    """Each has a directory; what is finished counts as finished."""
    sweep = SweepSettings(
        spaces=("darts", "s2"), seeds=(0, 7), search=str(settings_file), out=str(tmp_path / "w")
    )
    runs = plan_sweep(sweep)
    names = ["darts-seed0", "darts-seed7", "s2-seed0", "s2-seed7"]
    assert [run.path.name for run in runs] == names
    assert runs[1].flags == (f"--config={settings_file}", "--space=darts", "--seed=7")
    assert {run.state() for run in runs} == {"missing"}


def test_every_method_in_turn(tmp_path):
    """Commas split methods and their settings; + joins a selection to a method."""
    methods = "darts,gdas,tau_max=5,tau_min=1,darts+darts_pt,interval=2"
    argv = ["--spaces=s2", "--seeds=0", f"--methods={methods}", f"--out={tmp_path}"]
    runs = plan_sweep(parse_settings(SweepSettings, "nas sweep", "", argv))
    assert [run.flags[1:-1] for run in runs] == [
        ("--method=darts",),
        ("--method=gdas,tau_max=5,tau_min=1",),
        ("--method=darts", "--selection=darts_pt,interval=2"),
    ]


def test_spaces_with_long_paths(tmp_path):
    """A name that is cut is not that of another space."""
    folder = tmp_path / ("a_long_folder_name_" * 8)
    folder.mkdir()
    for name, second in (("a", "sep_conv_3x3"), ("b", "max_pool_3x3")):
        text = f"num_nodes: 2\nprimitives: [skip_connect, {second}]\n"
        (folder / f"{name}.yaml").write_text(text)
    spaces = tuple(str(folder / f"{name}.yaml") for name in "ab")
    first, second = plan_sweep(SweepSettings(spaces=spaces, seeds=(0,), out=str(tmp_path)))
    assert first.path != second.path and len(first.path.name) < 200


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--seeds=1,1", "--seeds: expected one or more, each once"),
        ("--gpus=1", "--gpus: has an effect only with --cluster slurm"),
        ("--methods=a,=1", "--methods: expected NAME"),
        ("--jobs=0", "--jobs"),
        ("--seed=1", "did you mean '--seeds'"),
    ],
)
def test_bad_settings(capsys, flag, message):
    assert main([flag]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_a_sweep_on_this_machine(tmp_path, settings_file, capsys):
    """Two seeds, one of them begun before; then nothing to do; then other settings are noticed."""
    out, space = tmp_path / "sweep", str(TINY["space"])
    argv = [f"--spaces={space}", "--seeds=0,1", f"--search={settings_file}", f"--out={out}"]
    sweep = SweepSettings(spaces=(space,), seeds=(0, 1), search=str(settings_file), out=str(out))
    began = plan_sweep(sweep)[1].path
    assert search(flags(out=began, seed=1)) == 0
    (began / "genotype.json").unlink()
    assert main([*argv, "--jobs=2"]) == 0
    said = capsys.readouterr()
    assert "resume" in said.err and said.out.count("finished") == 2
    for seed, job in enumerate(sorted(out.glob("*-seed*"))):
        assert json.loads((job / "genotype.json").read_text())["search"]["seed"] == seed
    assert main(argv) == 0 and "start" not in capsys.readouterr().err
    settings_file.write_text(settings_file.read_text() + "init_channels: 3\n")
    text = settings_file.read_text().replace(f"init_channels: {TINY['init_channels']}\n", "", 1)
    settings_file.write_text(text)
    assert main(argv) == 2
    assert "was run with init_channels" in capsys.readouterr().err


def test_a_machine_without_slurm(tmp_path, monkeypatch):
    """One line says where to start the sweep."""
    pytest.importorskip("submitit")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="cluster: found slurm, but there is no srun"):
        SlurmExecutor(tmp_path / "sweep")
    assert not (tmp_path / "sweep").exists()


@pytest.mark.slow
def test_jobs_of_submitit(tmp_path, settings_file):
    """The same runs as jobs: one ends as finished, one that fails is reported."""
    pytest.importorskip("submitit")
    space = str(TINY["space"])
    sweep = SweepSettings(spaces=(space,), seeds=(0,), search=str(settings_file), out=str(tmp_path))
    (run,) = plan_sweep(sweep)
    SlurmExecutor(tmp_path, cluster="local").execute([run])
    assert run.state() == "finished"


def test_a_job_stops_its_program_and_comes_back(tmp_path, monkeypatch):
    """When its time is over, the program gets the signal to stop, and a new job follows."""
    pytest.importorskip("submitit")
    (run,) = plan_sweep(SweepSettings(spaces=("s2",), seeds=(0,), out=str(tmp_path)))
    job = RunJob(run)
    monkeypatch.setattr(type(run), "command", lambda self: ["sleep", "30"])
    codes = []
    thread = threading.Thread(target=lambda: codes.append(job()))
    thread.start()
    while job._process is None:
        time.sleep(0.01)
    following = job.checkpoint().function
    thread.join(10)
    assert codes == [-15]
    assert isinstance(following, RunJob) and following.run == run and following._process is None


@pytest.mark.slow
def test_a_failed_search_is_left(tmp_path, capsys):
    """It is named, and the exit code says that something is missing."""
    path = tmp_path / "search.yaml"
    path.write_text("dataset: imagefolder\nimage_size: 32\ndata: nowhere\n")
    argv = ["--spaces=s2", "--seeds=0", f"--search={path}", f"--out={tmp_path / 'w'}"]
    assert main(argv) == INCOMPLETE
    assert "1 runs left: s2-seed0" in capsys.readouterr().err


def test_methods_of_a_sweep(tmp_path, monkeypatch):
    """Each space with each method; the settings of a method are part of the name of its run."""
    monkeypatch.setattr("nas.experiments.plan.Run.check", lambda self: None)
    methods = ("darts", "pc_darts,channel_fraction=4", "pc_darts,channel_fraction=2")
    runs = plan_sweep(SweepSettings(spaces=("s2",), methods=methods, seeds=(0, 1)))
    assert len({run.path for run in runs}) == 6
    assert [run.flags[1] for run in runs[::2]] == [f"--method={method}" for method in methods]
    assert all(not set(run.path.name) & set("=,/ ") for run in runs)
    with pytest.raises(ConfigError, match=r"^methods: expected different methods"):
        SweepSettings(methods=("darts", "darts"))
