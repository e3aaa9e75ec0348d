"""What env.json records."""

import datetime

import torch

from nas.runtime.environment import describe_environment


def test_environment_states_versions_and_threads():
    """What bit-identical results depend on is there, and no path of the machine."""
    environment = describe_environment(torch.device("cpu"))
    assert environment["torch"] == torch.__version__
    assert environment["num_threads"] == torch.get_num_threads()
    assert not any(str(part).startswith("/") for part in environment["command"][:1])


def test_environment_states_when():
    """The start is now, with a time zone; the code is not newer than that."""
    before = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=1)
    environment = describe_environment(torch.device("cpu"))
    started = datetime.datetime.fromisoformat(environment["started"])
    assert before <= started <= datetime.datetime.now(datetime.UTC)
    assert (environment["commit_date"] is None) == (environment["commit"] is None)
    if environment["commit_date"] is not None:
        assert datetime.datetime.fromisoformat(environment["commit_date"]) <= started
