"""What env.json records."""

import torch

from nas.runtime.environment import describe_environment


def test_environment_states_versions_and_threads():
    """What bit-identical results depend on is there, and no path of the machine."""
    environment = describe_environment(torch.device("cpu"))
    assert environment["torch"] == torch.__version__
    assert environment["num_threads"] == torch.get_num_threads()
    assert not any(str(part).startswith("/") for part in environment["command"][:1])
