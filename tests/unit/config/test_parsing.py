"""Flags and configuration files: types, precedence, and one clear error."""

import dataclasses
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nas.config import AugmentConfig, SearchConfig, parse_settings, plain_settings
from nas.config.fields import GROUPS
from nas.config.old_keys import _say_ignored
from nas.errors import ConfigError, NasError
from nas.program import as_flags

FIELDS = [field.name for field in dataclasses.fields(SearchConfig)]
OTHER = {
    "space": "darts+sandglass",
    "width_mult": 0.75,
    "plugins": ("my.ops", "other.py"),
    "dataset": "imagefolder",
    "data": "my data",
    "image_size": 64,
    "max_images": 100,
    "out": "runs/x",
    "resume": True,
    "seed": 3,
    "skip_corrupt": True,
    "horizontal_flip": False,
    "device": "cpu",
    "precision": "bf16",
    "compile": "off",
    "micro_batch": 4,
    "checkpoint_minutes": 0.5,
    "non_finite": "skip",
    "sync_batchnorm": True,
    "reference_batch_size": 32,
    "epochs": 3,
    "batch_size": 8,
    "init_channels": 4,
    "num_cells": 5,
    "train_fraction": 0.75,
    "learning_rate": 0.5,
    "learning_rate_min": 1e-5,
    "momentum": 0.0,
    "weight_decay": 1e-4,
    "grad_clip": 1.0,
    "method": "pc_darts,channel_fraction=2",
    "list_methods": True,
    "term": "beta_decay,weight=0.25",
    "monitor": "margin",
    "monitor_eigenvalue": 4,
    "stop": "skip_count,limit=3",
    "selection": "darts_pt,interval=3",
    "target": "latency_ms=12",
    "targets": "madds=1e6,2e6",
    "latency_table": "table.json",
    "order": "second_order",
    "xi": 0.125,
    "epsilon": 0.5,
    "alpha_learning_rate": 1e-2,
    "alpha_betas": (0.25, 0.5),
    "alpha_weight_decay": 0.0,
    "alpha_init_std": 0.0,
}
WORDS = {
    name: ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
    for name, value in OTHER.items()
}
SECOND_ORDER = {"order": "second_order"}
NEEDS = {
    "xi": SECOND_ORDER,
    "epsilon": SECOND_ORDER,
    "skip_corrupt": {"dataset": "imagefolder"},
    "target": {"latency_table": "table.json"},
    "latency_table": {"target": "latency_ms=12"},
}


def parse(*argv):
    return parse_settings(SearchConfig, "search.py", "Search.", argv)


def refused(*argv):
    with pytest.raises(ConfigError) as error:
        parse(*argv)
    message = as_flags(str(error.value), FIELDS)
    assert "\n" not in message
    assert "Parser key" not in message  # words of jsonargparse
    assert "argument --" not in message
    return message


@pytest.fixture
def write(tmp_path):
    """Write a configuration file and return its path."""

    def write(name, **content):
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
        return str(path)

    return write


def test_without_arguments_the_settings_are_the_defaults():
    """Nothing given, nothing changed."""
    assert parse() == SearchConfig()


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_is_a_flag(name):
    """A field can be set by the flag of its name, with a space or an equals sign."""
    more = [f"--{key}={value}" for key, value in NEEDS.get(name, {}).items()]
    expected = OTHER[name]
    assert getattr(parse(*more, f"--{name}", WORDS[name].replace("True", "true")), name) == expected
    assert getattr(parse(f"--{name}={WORDS[name]}", *more), name) == expected
    assert expected != getattr(SearchConfig(), name)


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_is_a_key_of_a_configuration_file(write, name):
    """A field can be set in a file, and a flag wins over the file in every position."""
    value = list(OTHER[name]) if isinstance(OTHER[name], tuple) else OTHER[name]
    more = NEEDS.get(name, {})
    path = write("one", **{**more, name: value})
    config = parse("--config", path)
    assert getattr(config, name) == OTHER[name]
    assert type(getattr(config, name)) is type(OTHER[name])


@pytest.mark.parametrize(
    "argv",
    [
        ["--epochs", "3", "--config", "FILE"],
        ["--epochs=3", "--config=FILE"],
        ["--config", "FILE", "--epochs", "3"],
        ["--config=FILE", "--epochs=3"],
        ["--seed", "5", "--epochs", "3", "--config", "FILE", "--device", "cpu"],
        ["--epochs", "9", "--config", "FILE", "--epochs", "3"],
        ["--epochs", "3", "--config", "FILE", "--config=FILE"],
    ],
)
def test_a_flag_wins_over_a_file_wherever_it_stands(write, argv):
    """The order of flags and files on the line does not matter; the last of equal flags wins."""
    path = write("file", epochs=7, batch_size=12)
    config = parse(*(argument.replace("FILE", path) for argument in argv))
    assert (config.epochs, config.batch_size) == (3, 12)


@pytest.mark.parametrize("form", [["--config", "{}"], ["--config={}"]])
def test_of_two_files_the_later_wins(write, form):
    """Files are read in order; a later one changes only what it says."""
    first, second = write("first", epochs=7, seed=5), write("second", epochs=8)

    def given(*paths):
        return [part.format(path) for path in paths for part in form]

    config = parse(*given(first, second))
    assert (config.epochs, config.seed) == (8, 5)
    assert parse(*given(second, first)).epochs == 7


def test_a_base_loses_to_everything_on_the_command_line(write):
    """The settings of a run to be resumed are below those of the line."""
    base, file = Path(write("base", epochs=7, seed=5, num_cells=4)), write("file", seed=6)
    config = parse_settings(SearchConfig, "x", "d", ["--config", file, "--epochs", "9"], base=base)
    assert (config.epochs, config.seed, config.num_cells) == (9, 6, 4)


def test_print_config_can_be_fed_back(tmp_path, capsys):
    """What --print_config prints is a configuration file of the same settings."""
    # The second order allows no other precision, one target not several.
    other = OTHER | {"precision": "fp32", "targets": None}
    words = WORDS | {"precision": "fp32", "targets": "null"}
    argv = [f"--{name}={word}" for name, word in words.items()]
    with pytest.raises(SystemExit) as stop:
        parse("--print_config", *argv)
    assert not stop.value.code
    printed = capsys.readouterr().out
    assert set(yaml.safe_load(printed)) == set(FIELDS) - {"targets"}
    path = tmp_path / "printed.yaml"
    path.write_text(printed, encoding="utf-8")
    assert parse("--config", str(path)) == parse(*argv) == SearchConfig(**other)


@pytest.mark.parametrize(
    ("argv", "plugins"),
    [
        (["--plugins", "a,b"], ("a", "b")),
        (["--plugins=a,b"], ("a", "b")),
        (["--plugins", "a"], ("a",)),
        (["--plugins", "[a, b]"], ("a", "b")),
        (["--plugins", "my/ops.py,a.b"], ("my/ops.py", "a.b")),
        (["--plugins", "a", "--plugins", "b"], ("a", "b")),
        (["--plugins", "a,b", "--seed", "1"], ("a", "b")),
        (["--plugins=[]"], ()),
    ],
)
def test_lists_are_written_with_commas(argv, plugins):
    """`--plugins a,b` is a list of two; brackets are allowed and not needed."""
    assert parse(*argv).plugins == plugins


@pytest.mark.parametrize(
    ("argv", "resume"),
    [
        (["--resume"], True),
        (["--resume", "--seed", "0"], True),
        (["--seed", "0", "--resume"], True),
        (["--resume", "true"], True),
        (["--resume", "True"], True),
        (["--resume=true"], True),
        (["--resume", "false"], False),
        (["--resume=false", "--seed", "0"], False),
        (["--resume", "--resume=false"], False),
        (["--seed", "0", "--resume\r"], True),
        ([], False),
    ],
)
def test_a_switch_needs_no_value(argv, resume):
    """`--resume` alone is true, and a value may follow."""
    assert parse(*argv).resume is resume


@pytest.mark.parametrize(
    ("argv", "parts"),
    [
        (["--resume", "runs/x"], ["found 'runs/x' where a flag is expected"]),
        (["--resume", "1"], ["found '1' where a flag is expected"]),
        (["--resume=maybe"], ["--resume: expected true or false, found 'maybe'"]),
        (["darts"], ["found 'darts' where a flag is expected"]),
        (["--seed", "1", "2"], ["found '2' where a flag is expected"]),
        (["-e", "3"], ["found '-e' where a flag is expected"]),
        (["--plugins", "a", "b"], ["found 'b' where a flag is expected"]),
        (["--epoch", "3"], ["unknown flag '--epoch'", "did you mean '--epochs'"]),
        (["--epoch=3"], ["unknown flag '--epoch'"]),
        (["--space.name", "a"], ["unknown flag '--space.name'", "did you mean '--space'"]),
        (["--plugins+=a"], ["unknown flag '--plugins+'", "did you mean '--plugins'"]),
        (["--no-resume"], ["unknown flag '--no-resume'", "did you mean '--resume'?"]),
        (["--conf", "x"], ["unknown flag '--conf'", "did you mean '--config'"]),
        (["--init-channels", "4"], ["unknown flag '--init-channels'", "'--init_channels'"]),
        (["--zzzzzz"], ["unknown flag '--zzzzzz'", "known: --"]),
        (["--"], ["unknown flag '--'"]),
        (["--" + "x" * 10_000], ["unknown flag '--xxx"]),
        (["--epochs"], ["--epochs: expected a whole number after it, found nothing"]),
        (["--epochs", "--seed", "1"], ["--epochs: expected a whole number after it"]),
        (["--plugins"], ["--plugins: expected a list of text after it, found nothing"]),
        (["--plugins", "--seed", "1"], ["--plugins: expected a list of text after it"]),
        (["--keep_checkpoints", "3"], ["--keep_checkpoints: is no longer a setting"]),
        (["--config"], ["--config: expected the path of a YAML file after it"]),
        (["--config", "missing.yaml"], ["--config: there is no file 'missing.yaml'"]),
        (["--config", "."], ["--config: there is no file '.'"]),
        (["--config", "x" * 5000], ["--config: there is no file 'xxx"]),
        (["--config", "a\0b"], ["--config: there is no file 'a\\x00b'"]),
        (["--epochs="], ["--epochs: expected a whole number, found ''"]),
        (["--epochs", "five"], ["--epochs: expected a whole number, found 'five'"]),
        (["--epochs", "1.5"], ["--epochs: expected a whole number, found '1.5'"]),
        (["--epochs", "1e3"], ["--epochs: expected a whole number"]),
        (["--epochs", "true"], ["--epochs: expected a whole number, found 'true'"]),
        (["--epochs", "null"], ["--epochs: expected a whole number, found 'null'"]),
        (["--epochs", "[1]"], ["--epochs: expected a whole number, found '[1]'"]),
        (["--epochs", "-1"], ["--epochs: expected a number of at least 1, found -1"]),
        (["--epochs", "9" * 400], ["--epochs: expected a number of at least 1, found a number of"]),
        (["--epochs", "9" * 5000], ["--epochs: expected a whole number, found '999"]),
        (["--learning_rate", "fast"], ["--learning_rate: expected a number, found 'fast'"]),
        (["--learning_rate", "nan"], ["--learning_rate: expected a number, found 'nan'"]),
        (["--learning_rate", ".nan"], ["--learning_rate: expected a number above 0, found nan"]),
        (["--learning_rate", ".inf"], ["--learning_rate: expected a number above 0, found inf"]),
        (["--learning_rate", "1e400"], ["--learning_rate: expected a number above 0, found inf"]),
        (["--learning_rate", "9" * 400], ["--learning_rate: expected a number, found '999"]),
        (["--learning_rate", "-1"], ["--learning_rate: expected a number above 0, found -1.0"]),
        (["--image_size", "none"], ["--image_size: expected a whole number or null, found 'none'"]),
        (["--xi", "0.1,0.2"], ["--xi: expected a number or null"]),
        (["--device", "CPU"], ["--device: expected 'auto' or 'cpu' or 'cuda', found 'CPU'"]),
        (["--order", "third"], ["--order: expected 'first_order' or 'second_order'"]),
        (["--alpha_betas", "0.5"], ["--alpha_betas: expected [a number, a number]"]),
        (["--alpha_betas", "0.5,0.9,0.99"], ["--alpha_betas: expected [a number, a number]"]),
        (
            ["--alpha_betas", "0.5,x"],
            ["a number], found ['0.5', 'x']"],
        ),
        (["--alpha_betas=[0.5,"], ["--alpha_betas: expected [a number, a number]"]),
        (["--alpha_betas", "0.5,1"], ["--alpha_betas: expected a number of at least 0"]),
    ],
)
def test_a_wrong_command_line_says_which_flag_and_why(tmp_path, monkeypatch, argv, parts):
    """Each fault is one line: the flag, what was found, what is allowed."""
    monkeypatch.chdir(tmp_path)
    message = refused(*argv)
    for part in parts:
        assert part in message
    assert len(message) < 1000 or "known: " in message


@pytest.mark.parametrize("name", FIELDS)
def test_abbreviations_are_off(name):
    """The beginning of a flag is not the flag."""
    beginning = name[:-1] if name[:-1] not in FIELDS else name[:-2]
    assert f"unknown flag '--{beginning}'; did you mean" in refused(f"--{beginning}={WORDS[name]}")


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("", ["expected a mapping of settings such as `epochs: 50`"]),
        ("- epochs", ["expected a mapping of settings"]),
        ("epochs 3", ["expected a mapping of settings"]),
        ("epoch: 3", ["unknown setting 'epoch'", "did you mean 'epochs'"]),
        ("zzzzz: 3", ["unknown setting 'zzzzz'", "known: "]),
        ("config: other.yaml", ["unknown setting 'config'"]),
        ("help: 1", ["unknown setting 'help'"]),
        ("1: 2", ["unknown setting '1'"]),
        ("epochs: 3\nepochs: 4", ["line 2", "the key 'epochs' is there twice"]),
        ("epochs: &e 3\nseed: *e", ["line 2", "aliases (*name) are not allowed"]),
        ("epochs: !!int '3'", ["line 1", "tags"]),
        ("epochs: [3", ["line 1: not valid YAML"]),
        ("seed: " + "9" * 400, ["seed: expected a number of at least 0 ", "found a number of"]),
        ("epochs: five", ["epochs: expected a whole number, found 'five'"]),
        ("epochs: 1.5", ["epochs: expected a whole number, found '1.5'"]),
        ("epochs: null", ["epochs: expected a whole number, found null"]),
        ("epochs:", ["epochs: expected a whole number, found null"]),
        ("device: null", ["device: expected 'auto' or 'cpu' or 'cuda', found null"]),
        ("plugins: null", ["plugins: expected a list of text, found null"]),
        ("data: ~", ["data: expected text, found null (which `~` alone means in YAML)"]),
        ("plugins: a,b", ["plugins: expected a list of text, found 'a,b'"]),
        ("resume: 1", ["resume: expected true or false, found '1'"]),
        ("num_cells: 0", ["num_cells: expected a number of at least 1 and", "found 0"]),
        ("memory_format: contiguous", ["memory_format: 'contiguous' is no longer supported"]),
        ("architect: first_order\norder: first_order", ["order is set twice"]),
        ("space: [darts]", ["space: expected text"]),
        ("alpha_betas: 0.5", ["alpha_betas: expected [a number, a number], found '0.5'"]),
        (b"epochs: \xff", ["cannot be read: is not UTF-8 text"]),
    ],
)
def test_a_wrong_file_says_which_file_and_why(tmp_path, content, parts):
    """Each fault of a file is one line that starts with the file, even when a flag is given too."""
    path = tmp_path / "settings.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    for argv in (["--config", str(path)], ["--epochs", "3", f"--config={path}"]):
        message = refused(*argv)
        assert message.startswith(f"{path}: ")
        for part in parts:
            assert part in message


def test_the_error_names_the_file_at_fault_among_several(write):
    """Of several files, and with the same flag beside them, the message names the wrong one."""
    good, bad = write("good", epochs=3), write("bad", epochs="five")
    for argv in (["--config", good, "--config", bad], ["--config", bad, "--config", good]):
        assert refused(*argv, "--epochs=4").startswith(f"{bad}: epochs: expected a whole number")
    assert refused("--config", good, "--epochs=x").startswith("--epochs: expected a whole number")


@pytest.mark.parametrize("content", ["learning_rate: 1e-3", "learning_rate: 0.001"])
def test_small_numbers_may_be_written_with_an_exponent(tmp_path, content):
    """1e-3 is a number in a file too, although YAML 1.1 takes it for text."""
    path = tmp_path / "settings.yaml"
    path.write_text(content, encoding="utf-8")
    assert parse("--config", str(path)).learning_rate == 0.001


@pytest.mark.parametrize("value", ["123", "null", "1e5", "true", "[a]", "a: b", "off", "", "é"])
def test_text_stays_text_on_the_command_line(value):
    """What looks like YAML is still a name where text is expected."""
    assert parse(f"--space={value}").space == value


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from([f"--{name}" for name in FIELDS])
        | st.sampled_from(["1", "0.5", "true", "[1", "{a: ", "null", "-", "--", "="])
        | st.text(max_size=5).filter(lambda text: not re.match(r"-h|--h|--p", text)),
        max_size=4,
    )
)
def test_no_command_line_raises_anything_but_a_config_error(argv):
    """Whatever stands on the line, it is settings or a ConfigError of one line."""
    try:
        assert isinstance(parse(*argv), SearchConfig)
    except NasError as error:
        assert type(error) is ConfigError
        assert str(error)


class TestBase:
    def test_a_file_stands_on_another(self, write, tmp_path):
        """What it does not say is its base's, through any number of them; a flag still wins."""
        write("recipe", epochs=7, batch_size=8, seed=3)
        write("wide", base="recipe.yaml", init_channels=4, batch_size=16)
        (tmp_path / "rows").mkdir()
        row = write("rows/row", base="../wide.yaml", seed=5)
        found = parse(f"--config={row}", "--init_channels=6")
        assert (found.epochs, found.batch_size, found.seed, found.init_channels) == (7, 16, 5, 6)

    def test_the_last_of_several_files_wins_with_its_base(self, write):
        write("recipe", epochs=7)
        first, second = write("first", epochs=9), write("second", base="recipe.yaml")
        assert parse(f"--config={first}", f"--config={second}").epochs == 7
        assert parse(f"--config={second}", f"--config={first}").epochs == 9

    @pytest.mark.parametrize(
        ("base", "message"),
        [
            ("nowhere.yaml", r"row\.yaml: base: there is no file 'nowhere\.yaml' in the same"),
            ("row.yaml", r"row\.yaml: is its own base"),
            (5, r"row\.yaml: base: there is no file '5'"),
        ],
    )
    def test_a_base_that_cannot_be(self, write, base, message):
        assert re.search(message, refused(f"--config={write('row', base=base)}"))

    def test_an_error_names_the_file_it_is_in(self, write):
        write("recipe", epochs="many")
        row = write("row", base="recipe.yaml", seed=1)
        assert re.search(r"recipe\.yaml: epochs: expected a whole", refused(f"--config={row}"))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("compile: off", "off"),
        ("seed: 0123", 123),
        ("seed: 007", 7),
        ("learning_rate: 1e-3", 0.001),
        ("learning_rate: 1", 1.0),
        ("data: 2024-01-01", "2024-01-01"),
        ("data: 12:30", "12:30"),
        ("data: no", "no"),
        ("data: 93e1204", "93e1204"),
        ("out: null", None),
        ("out:", None),
        ("resume: yes", True),
        ("resume: False", False),
        ("plugins: [1e3, 010]", ("1e3", "010")),
    ],
)
def test_a_value_is_read_as_the_type_of_its_field(tmp_path, line, expected):
    """Not as YAML 1.1 guesses: `off` is a mode, 0123 is 123, a date is the name of a folder."""
    path = tmp_path / "settings.yaml"
    path.write_text(line, encoding="utf-8")
    value = getattr(parse("--config", str(path)), line.split(":")[0])
    assert value == expected and type(value) is type(expected)


TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1).filter(
    lambda text: "~" not in text and text.strip().lower() != "null"
)


@settings(max_examples=40, deadline=None)
@example(data="#", out=" # not a comment")
@given(data=TEXTS, out=TEXTS | st.from_regex(r"[0-9]{1,3}e[0-9]{1,4}", fullmatch=True))
def test_config_yaml_is_read_back_as_the_same_settings(tmp_path_factory, data, out):
    """What the programs write as YAML, they read as the same value."""
    config = SearchConfig(data=data, out=out, plugins=(data, out), weight_decay=1e-5 / 3)
    path = tmp_path_factory.mktemp("run") / "config.yaml"
    path.write_text(yaml.safe_dump(plain_settings(config)), encoding="utf-8")
    assert parse("--config", str(path)) == config


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfepochs: 7\nseed: 3\n",
        b"epochs: 7\r\nseed: 3\r\n",
        "epochs: 7\r\nseed: 3\r\n".encode("utf-16"),
        "epochs: 7\nseed: 3".encode("utf-16-be").join([b"\xfe\xff", b""]),
    ],
    ids=["BOM", "CRLF", "UTF-16 of Windows", "UTF-16 big-endian"],
)
def test_files_as_other_systems_save_them(tmp_path, content):
    """A byte order mark, line ends of Windows and UTF-16 are read."""
    path = tmp_path / "settings.yaml"
    path.write_bytes(content)
    config = parse("--config", str(path))
    assert (config.epochs, config.seed) == (7, 3)


def test_the_home_directory(tmp_path, monkeypatch):
    """`~` is the home directory in flags with a space or `=`, in files, lists and joined spaces."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "s.yaml").write_text("out: ~/runs/one\n")
    config = parse(
        "--config=~/s.yaml", "--data=~", "--space=darts+~/my.yaml", "--plugins", "a,~/b.py"
    )
    assert config.out == f"{tmp_path}/runs/one"
    assert config.data == str(tmp_path)
    assert config.space == f"darts+{tmp_path}/my.yaml"
    assert config.plugins == ("a", f"{tmp_path}/b.py")
    assert parse("--dataset=~x").dataset == "~x"  # not a path


def test_settings_of_an_earlier_release_are_read(tmp_path, caplog):
    """Removed settings are ignored with one line, renamed ones are read under their new name."""
    path = tmp_path / "config.yaml"
    path.write_text("architect: second_order\nmemory_format: auto\nkeep_checkpoints: 2\n")
    _say_ignored.cache_clear()
    for _ in range(2):
        assert parse("--config", str(path)) == SearchConfig(order="second_order")
    assert caplog.messages == [
        "ignored in settings of an earlier release: memory_format, keep_checkpoints"
    ]
    assert parse("--architect=second_order") == parse("--order=second_order")


def test_every_setting_is_in_a_group_of_the_help(capsys):
    """Groups come in order, the important ones first, and no setting is in the last resort."""
    for settings_class in (SearchConfig, AugmentConfig):
        with pytest.raises(SystemExit) as stop:
            parse_settings(settings_class, "prog", "It works.", ["--help"])
        assert not stop.value.code
        text = capsys.readouterr().out
        titles = re.findall(r"^([a-z ]+):$", text, re.M)
        assert titles == [title for title in GROUPS.values() if title in titles] + ["this program"]
        assert GROUPS["other"] not in titles
        flags = re.findall(r"^  --(\w+)", text, re.M)
        names = [field.name for field in dataclasses.fields(settings_class)]
        assert sorted(flags) == sorted([*names, "config", "print_config"])


@dataclasses.dataclass(frozen=True)
class Words:
    """Arguments without flags."""

    first: str
    others: tuple[str, ...] = ()
    size: int = 3


WORDS_OF = {"first": "FIRST", "others": "OTHER"}


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["a"], Words("a")),
        (["a", "b", "c"], Words("a", ("b", "c"))),
        (["--size", "4", "a", "b"], Words("a", ("b",), 4)),
        (["a", "--size=4", "b"], Words("a", ("b",), 4)),
        (["--first=a"], Words("a")),
        (["1e5", "[a]"], Words("1e5", ("[a]",))),
    ],
)
def test_arguments_without_flags(argv, expected):
    """The words that belong to no flag go to the fields without one, in order."""
    assert parse_settings(Words, "p", "", argv, positional=WORDS_OF) == expected


def test_a_missing_argument_is_named():
    """It is shown as in the usage line."""
    with pytest.raises(ConfigError, match=r"^FIRST is missing; see --help$"):
        parse_settings(Words, "prog", "", [], positional=WORDS_OF)
