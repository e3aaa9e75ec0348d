"""The search program up to its settings: resuming, errors on one line, no torch before."""

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from nas.cli.search import main, read_config
from nas.config import SearchConfig, run_settings
from nas.errors import ConfigError
from nas.files import file_name
from nas.space import load_space

REPO = Path(__file__).parents[3]


@pytest.fixture
def cwd(tmp_path, monkeypatch):
    """Stand in an empty directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def saved(cwd):
    """Write the config.yaml of a run with `--epochs 10 --seed 3 --init_channels 4`."""
    config = SearchConfig(epochs=10, seed=3, init_channels=4, plugins=("a",), out="runs/x")
    settings = dataclasses.asdict(config)
    run = cwd / "runs" / "x"
    run.mkdir(parents=True)
    text = yaml.safe_dump({**settings, "plugins": ["a"], "alpha_betas": [0.5, 0.999]})
    (run / "config.yaml").write_text(text, encoding="utf-8")
    return config


@pytest.mark.parametrize(
    ("argv", "out"),
    [
        ([], "runs/darts-cifar10-seed0"),
        (["--seed", "3", "--dataset", "shapes"], "runs/darts-shapes-seed3"),
        (["--space", "darts+sandglass"], "runs/darts+sandglass-cifar10-seed0"),
        (["--space", "my/own space.yaml"], f"runs/{file_name('my/own space.yaml')}-cifar10-seed0"),
        (["--out", "there"], "there"),
        (["--out", "null"], "runs/darts-cifar10-seed0"),
    ],
)
def test_out_is_filled_in(argv, out):
    """Without --out the run directory is named after the space, the data set and the seed."""
    assert read_config(argv).out == out


@pytest.mark.parametrize(
    "argv",
    [
        ["--resume", "--out", "runs/x"],
        ["--out=runs/x", "--resume=true"],
        ["--resume", "--out", "runs/x", "--epochs", "10", "--plugins", "a"],
    ],
)
def test_resume_takes_the_settings_of_the_run(saved, argv):
    """--resume and --out are enough: every other setting is that of the run."""
    assert read_config(argv) == dataclasses.replace(saved, resume=True)


def test_resume_finds_the_run_by_its_default_name(cwd):
    """A run that was started without --out is resumed without it."""
    run = cwd / "runs" / "darts-cifar10-seed4"
    run.mkdir(parents=True)
    (run / "config.yaml").write_text("seed: 4\nepochs: 7\nresume: false\n", encoding="utf-8")
    config = read_config(["--resume", "--seed", "4"])
    assert (config.epochs, config.out) == (7, "runs/darts-cifar10-seed4")


def test_a_run_that_was_moved_can_be_resumed(saved):
    """The directory that is named wins over the one that the run was started in."""
    Path("runs/x").rename("runs/moved")
    config = read_config(["--resume", "--out", "runs/moved"])
    assert config == dataclasses.replace(saved, resume=True, out="runs/moved")


def test_epochs_may_be_raised(saved):
    """A run may be made longer."""
    config = read_config(["--resume", "--out", "runs/x", "--epochs", "11"])
    assert config == dataclasses.replace(saved, resume=True, epochs=11)


def test_micro_batches_may_come_in_on_resume(saved, caplog):
    """What the error of a run that was out of memory advises can be done, and is said."""
    config = read_config(["--resume", "--out", "runs/x", "--micro_batch", "32"])
    assert config == dataclasses.replace(saved, resume=True, micro_batch=32)
    assert "resumed with `micro_batch` 32 instead of None" in caplog.text


@pytest.mark.parametrize(
    ("argv", "name", "before", "now"),
    [
        (["--epochs", "9"], "epochs", "10", "9"),
        (["--seed", "4"], "seed", "3", "4"),
        (["--init_channels=8"], "init_channels", "4", "8"),
        (["--plugins", "b"], "plugins", "('a',)", "('b',)"),
        (["--order", "second_order"], "order", "'first_order'", "'second_order'"),
        (["--space", "s2"], "space", "'darts'", "'s2'"),
        (["--momentum", "0"], "momentum", "0.9", "0.0"),
        (["--config", "new.yaml"], "batch_size", "64", "32"),
    ],
)
def test_another_setting_is_not_taken_silently(saved, argv, name, before, now):
    """A changed setting is an error that names it, its two values and what to do."""
    Path("new.yaml").write_text("batch_size: 32\n", encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        read_config(["--resume", "--out", "runs/x", *argv])
    message = str(error.value)
    assert message.startswith("resume: the run in runs/x has ")
    assert f"has {name} {before}, found {now}; leave `{name}` out" in message
    assert "another `out`" in message


@pytest.mark.parametrize("out", ["missing", "empty", "x" * 300])
def test_a_missing_run_cannot_be_resumed(cwd, out):
    """Where there is no run, --resume says so at once, and nothing is written."""
    (cwd / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"^resume: .* holds no run \(no config.yaml\)"):
        read_config(["--resume", "--out", out])
    assert [path.name for path in cwd.iterdir()] == ["empty"]


@pytest.mark.parametrize("content", ["epochs: [", "epochs: 0", "epoch: 3", "", "\0"])
def test_a_damaged_run_cannot_be_resumed(saved, content):
    """A config.yaml that is no settings of a search is an error, not a default."""
    Path("runs/x/config.yaml").write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError):
        read_config(["--resume", "--out", "runs/x"])


@pytest.mark.parametrize(
    "argv",
    [
        ["--epoch", "3"],
        ["--epochs", "five"],
        ["--epochs", "0"],
        ["--xi", "0.1"],
        ["--config", "missing.yaml"],
        ["--resume"],
        ["stray"],
        ["--space\nname"],
    ],
)
def test_an_error_is_one_line_on_stderr_and_exit_code_2(cwd, capsys, argv):
    """What the user can mend is one line without a traceback, and nothing is written."""
    assert main(argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r"search\.py: error: [^\n]+\n", err)
    assert list(cwd.iterdir()) == []


def run_python(*arguments, cwd=REPO):
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(REPO), "PATH": "", "COLUMNS": "300"},
    )


HELP = """
import sys
sys.argv = ["search.py", *{argv!r}]
from nas.cli.search import main
from nas.program import run_program
try:
    code = main()
except SystemExit as stop:
    code = stop.code or 0
print("loaded", sorted({{"torch", "numpy", "matplotlib"}} & sys.modules.keys()), code)
"""


@pytest.mark.parametrize("argv", [["--help"], ["--print_config"], ["--epoch", "3"], ["--resume"]])
def test_the_program_answers_without_torch(tmp_path, argv):
    """Help, settings and their errors do not wait for torch."""
    done = run_python("-c", HELP.format(argv=argv), cwd=tmp_path)
    expected = 0 if argv[0] in ("--help", "--print_config") else 2
    assert done.stdout.splitlines()[-1] == f"loaded [] {expected}"
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_importing_nas_and_its_light_packages_does_not_import_torch():
    """`import nas` and the packages below torch load nothing heavy."""
    program = (
        "import sys, nas, nas.config, nas.space, nas.genotype, nas.primitives, nas.cli.search\n"
        "print(sorted({'torch', 'numpy', 'matplotlib'} & sys.modules.keys()))"
    )
    done = run_python("-c", program)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")


def test_the_help_describes_every_flag():
    """`python search.py --help` has every field with its meaning and its default."""
    done = run_python("search.py", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    entries = dict(re.findall(r"^  --(\w+) .*?  +(.*?)(?=^  -|^\S|\Z)", done.stdout, re.M | re.S))
    for field in dataclasses.fields(SearchConfig):
        meaning, _, default = " ".join(entries[field.name].split()).partition("(type: ")
        assert len(meaning) > 10, field.name
        assert "default: " in default, field.name
    assert "a flag wins" in entries["config"]


def test_the_script_itself_answers_an_error_with_one_line(tmp_path):
    """`python search.py` with a typing error: exit code 2, one line, nothing written."""
    done = run_python(str(REPO / "search.py"), "--epoch", "3", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"search\.py: error: unknown flag '--epoch'[^\n]*\n", done.stderr)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("off", [["--resume", "false"], ["--resume=false"]])
def test_a_switch_can_be_turned_off(cwd, off):
    """`--resume false` starts a new run."""
    assert read_config([*off, "--out", "runs/new"]).resume is False


def test_settings_are_checked_with_those_of_the_run(cwd):
    """--xi needs second order, which the run to be resumed has."""
    run = cwd / "runs" / "x"
    run.mkdir(parents=True)
    (run / "config.yaml").write_text("architect: second_order\nxi: 0.5\n", encoding="utf-8")
    assert read_config(["--resume", "--out", "runs/x", "--xi", "0.5"]).xi == 0.5


@pytest.fixture
def elsewhere(cwd, monkeypatch):
    """A run in w1/r with a space of its own, and another working directory next to it."""
    for name in ("w1", "w2"):
        (cwd / name).mkdir()
    monkeypatch.chdir(cwd / "w1")
    space = "name: my\nnum_nodes: 2\nprimitives: [skip_connect, sep_conv_3x3]\n"
    for name in ("my.yaml", "ops.py"):
        Path(name).write_text(space if name == "my.yaml" else "", encoding="utf-8")
    Path("data").mkdir()
    Path("r").mkdir()
    config = read_config(["--space=my.yaml", "--plugins=ops.py,a.module", "--out=r"])
    Path("r/config.yaml").write_text(yaml.safe_dump(run_settings(config)), encoding="utf-8")
    Path("r/space.yaml").write_text(load_space("my.yaml").to_yaml(), encoding="utf-8")
    monkeypatch.chdir(cwd / "w2")
    return config


@pytest.mark.parametrize(
    "more", [[], ["--space=../w1/my.yaml"], ["--plugins=../w1/ops.py,a.module"]]
)
def test_a_run_can_be_resumed_from_another_folder(elsewhere, more):
    """Its relative paths are those of the folder in which it was started."""
    config = read_config(["--resume", "--out=../w1/r", *more])
    assert config.space == "../w1/my.yaml"
    assert config.plugins == ("../w1/ops.py", "a.module")
    assert config.data == "../w1/data"
    assert config == dataclasses.replace(
        elsewhere,
        space="../w1/my.yaml",
        plugins=("../w1/ops.py", "a.module"),
        data="../w1/data",
        out="../w1/r",
        resume=True,
    )


def test_the_advice_of_the_error_can_be_followed(elsewhere):
    """Another file with the same space is the same space, another space is not."""
    Path("copy.yaml").write_text(Path("../w1/my.yaml").read_text(), encoding="utf-8")
    assert read_config(["--resume", "--out=../w1/r", "--space=copy.yaml"]).space == "copy.yaml"
    Path("copy.yaml").write_text("num_nodes: 3\nprimitives: [skip_connect]\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"has space .*leave `space` out"):
        read_config(["--resume", "--out=../w1/r", "--space=copy.yaml"])


def test_a_run_has_its_own_copy_of_its_space(elsewhere):
    """The file of the space may be deleted after the start."""
    Path("../w1/my.yaml").unlink()
    config = read_config(["--resume", "--out=../w1/r"])
    assert load_space(config.space).primitives == ("skip_connect", "sep_conv_3x3")
