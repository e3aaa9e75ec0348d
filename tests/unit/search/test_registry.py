"""Names and settings of methods, terms, monitors and stopping rules."""

from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch

from nas.config.choice import choices_to_text, read_choice, read_choices
from nas.errors import ConfigError
from nas.search import Method, list_methods, register_method, register_term
from nas.search.methods.pc_darts import PCDarts
from nas.search.monitors import measure_all
from nas.search.registry import METHODS, STOPS, TERMS, build, format_registered
from nas.search.stops import SkipCount
from nas.search.terms import BetaDecay


def made(registry, text, where="method"):
    return build(registry, read_choice(text, where), where)


def test_settings_have_the_types_of_the_fields():
    """Whole numbers, numbers, truth values and text are converted; the rest keeps its default."""
    assert made(METHODS, "pc_darts,channel_fraction=2") == PCDarts(channel_fraction=2)
    assert made(TERMS, "beta_decay, weight = 1e-1") == BetaDecay(weight=0.1)
    found = made(STOPS, "skip_count,group=reduce,keep_before=true")
    assert found == SkipCount(group="reduce", keep_before=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pc_dart", r"method: unknown method 'pc_dart'; did you mean 'pc_darts'"),
        ("pc_darts,tau_max=3", r"method: pc_darts: unknown setting 'tau_max'"),
        ("pc_darts,chanel_fraction=3", r"did you mean 'channel_fraction'"),
        (
            "pc_darts,channel_fraction=2.5",
            r"channel_fraction: expected a whole number, found '2.5'",
        ),
        ("pc_darts,channel_fraction=1", r"channel_fraction: expected 2 or more, found 1"),
        ("gdas,tau_min=nan", r"tau_min: expected a finite number, found 'nan'"),
        ("gdas,tau_min=20", r"gdas: tau_min: expected a number above 0 and at most tau_max 10"),
        ("darts,a=1", r"method: darts: unknown setting 'a'; it has no settings"),
        ("gdas,tau_min", r"method: gdas: expected KEY=VALUE, found 'tau_min'"),
        ("gdas,tau_min=1,tau_min=2", r"gdas: tau_min is given twice"),
        ("gdas+darts", r"method: expected one NAME"),
        ("", r"method: expected one NAME"),
    ],
)
def test_bad_choices(text, message):
    """One line says where, what was found and what is allowed."""
    with pytest.raises(ConfigError, match=message) as error:
        made(METHODS, text)
    assert "\n" not in str(error.value)


def test_several_choices_are_joined_by_plus():
    """A + inside a number does not end a choice."""
    one, two = read_choices("beta_decay,weight=1e+3+other", "term")
    assert (one.name, dict(one.settings), two.name) == ("beta_decay", {"weight": "1e+3"}, "other")
    assert read_choices("", "term") == []


def test_yaml_forms():
    """A mapping and a list say the same as the text."""
    mapping = {"name": "pc_darts", "channel_fraction": 2}
    assert choices_to_text(mapping, "method") == "pc_darts,channel_fraction=2"
    assert choices_to_text(["a", {"name": "b", "c": 1}], "term") == "a+b,c=1"
    with pytest.raises(ConfigError, match="term: expected NAME"):
        choices_to_text({"weight": 1}, "term")


def test_a_taken_name_is_refused():
    @dataclass(frozen=True)
    class Mine(Method):
        """Mine."""

    with pytest.raises(ConfigError, match=r"'darts' is already registered by nas\.search"):
        register_method("darts")(Mine)
    register_method("mine")(Mine)
    assert "mine" in list_methods()
    assert "mine\n      Mine." in format_registered()


@dataclass(frozen=True)
class NoDefault(Method):
    """A setting without a default."""

    number: int


@dataclass(frozen=True)
class NotCallable:
    """Neither a method nor a term."""


@dataclass(frozen=True)
class Picky(Method):
    """Checks its setting as plain Python does."""

    number: int = 1

    def __post_init__(self):
        if self.number > 1:
            raise ValueError("number is above 1")


@pytest.mark.parametrize(
    ("register", "name", "record", "message"),
    [
        (register_method, "mine", NoDefault, "method 'mine': setting number: give it a default"),
        (register_method, "mine", NotCallable, "must be a subclass of nas.search.Method"),
        (register_term, "mine", NotCallable, "term 'mine': add a method __call__ to its class"),
        (register_method, "my method", Picky, "'my method': expected a name of letters"),
        (register_method, Picky, None, '@register_method("my_method")'),
    ],
)
def test_what_cannot_be_registered(register, name, record, message):
    """The mistakes of an author are said before a search runs into them."""
    with pytest.raises(ConfigError) as error:
        register(name)(record)
    assert message in str(error.value)


def test_a_plain_error_of_a_setting_is_one_line():
    register_method("picky")(Picky)
    with pytest.raises(ConfigError, match="method: picky: number is above 1"):
        made(METHODS, "picky,number=2")


@pytest.mark.parametrize("value", [float("nan"), torch.ones(()), None], ids=repr)
def test_a_monitor_returns_finite_numbers(value):
    """Records cannot hold anything else."""
    searcher = SimpleNamespace(
        method=Method(), alphas=None, progress=None, monitors=[lambda searcher: {"mine": value}]
    )
    with pytest.raises(ConfigError, match="monitor: mine: expected a finite number, found"):
        measure_all(searcher)
