"""The registry, plug-ins, and the check of a space before it is searched."""

import sys

import pytest
from torch import nn

from nas.errors import OperatorError, SearchSpaceError
from nas.operators import (
    build_operator,
    get_operator,
    list_operators,
    load_plugins,
    register_operator,
    resolve,
)
from nas.space import load_space

GOOD = """
from torch import nn
from nas.operators import register_operator

@register_operator("{name}", label="my conv", family="conv")
def build(channels, stride, *, affine):
    return nn.Conv2d(channels, channels, 3, stride, padding=1)
"""


def plugin(tmp_path, text, name="my_ops.py"):
    path = tmp_path / name
    path.write_text(text)
    return str(path)


def test_a_registered_operator_is_built():
    """The decorator makes a factory available under its name, with its record."""

    @register_operator("my_identity", source="here", is_identity=True)
    def build(channels, stride, *, affine):
        return nn.Identity()

    assert isinstance(build_operator("my_identity", 4), nn.Identity)
    record = get_operator("my_identity")
    assert (record.label, record.family, record.is_identity) == ("my identity", "other", True)


def test_a_taken_name_is_refused():
    with pytest.raises(OperatorError, match=r"'sep_conv_3x3' is already registered by nas\."):
        register_operator("sep_conv_3x3")(lambda channels, stride, *, affine: nn.Identity())


def test_an_unknown_name_gets_close_matches_and_who_asked():
    """The message names the place that used the name and what was probably meant."""
    with pytest.raises(OperatorError, match=r"unknown operator 'sandglas_3x3'.*'sandglass_3x3'"):
        get_operator("sandglas_3x3")
    with pytest.raises(OperatorError, match=r"space 'darts\+sandglas_3x3'.*did you mean"):
        resolve(load_space("darts+sandglas_3x3"))
    with pytest.raises(OperatorError, match=r"'dartz'.*did you mean 'darts'"):
        resolve(load_space("dartz"))


def test_a_plugin_file_is_loaded_once(tmp_path):
    """Loading the same file again is fine; its operators work."""
    path = plugin(tmp_path, GOOD.format(name="plugged_a"))
    load_plugins([path])
    load_plugins([path])
    assert get_operator("plugged_a").label == "my conv"


HELPED = """
from blocks import block
from nas.operators import register_operator

@register_operator("{name}")
def build(channels, stride, *, affine):
    return block(channels, stride)
"""
BLOCK = """
from torch import nn

def block(channels, stride):
    return nn.{kind}Pool2d(3, stride, 1)
"""


def test_a_plugin_imports_the_files_next_to_it(tmp_path):
    """Each plug-in gets its own file, even if another folder has one of the same name."""
    before = list(sys.path)
    for kind in ("Max", "Avg"):
        folder = tmp_path / kind
        folder.mkdir()
        plugin(folder, BLOCK.format(kind=kind), "blocks.py")
        load_plugins([plugin(folder, HELPED.format(name=f"helped_{kind}"))])
        built = get_operator(f"helped_{kind}").factory(4, 1, affine=False)
        assert type(built).__name__ == f"{kind}Pool2d"
    assert sys.path == before and "blocks" not in sys.modules


def test_a_plugin_module_is_imported(tmp_path, monkeypatch):
    """A dotted name is imported as Python does."""
    plugin(tmp_path, GOOD.format(name="plugged_b"), "plugged_module_b.py")
    monkeypatch.syspath_prepend(tmp_path)
    load_plugins(["plugged_module_b"])
    assert "plugged_b" in list_operators()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import no_such_module_xyz", "no_such_module_xyz"),
        ("def broken(:", "SyntaxError"),
        ("raise RuntimeError('at import')", "at import"),
        ("import sys; sys.exit(3)", "SystemExit"),
        (GOOD.format(name="sep_conv_3x3"), "already registered"),
        (GOOD.format(name="plug_x").replace("stride, padding", "1, padding"), "stride 2"),
        (GOOD.format(name="plug_x").replace("channels, 3", "channels + 1, 3"), "expected"),
        (GOOD.format(name="plug_x").replace("return nn", "return 1 #"), "nn.Module"),
        (GOOD.format(name="plug_x").replace("return nn", "1 / 0 #"), "ZeroDivisionError"),
        (GOOD.format(name="plug_x").replace("(channels, channels", "(3, channels"), "failed"),
    ],
)
def test_a_faulty_plugin_is_one_error_and_leaves_nothing(tmp_path, text, message):
    """Whatever a plug-in does, the error names it, and the registry is as it was."""
    path = plugin(tmp_path, text)
    before, modules = list_operators(), set(sys.modules)
    with pytest.raises(OperatorError, match=r"plug-in .*my_ops\.py") as caught:
        load_plugins([path])
    assert message in str(caught.value)
    assert list_operators() == before
    assert not [name for name in set(sys.modules) - modules if name.startswith("nas_plugin")]


def test_a_missing_plugin_file(tmp_path):
    with pytest.raises(OperatorError, match="the file does not exist"):
        load_plugins([str(tmp_path / "absent.py")])


def test_a_node_needs_two_edges_that_pass_something_on(tmp_path):
    """An edge that holds only `none` cannot be decoded; two others must remain."""
    path = tmp_path / "thin.yaml"
    path.write_text(
        "num_nodes: 1\nprimitives: [none, skip_connect]\nedges: {normal: {0->2: [none]}}\n"
    )
    with pytest.raises(SearchSpaceError, match="normal cell, node 2: 1 of its"):
        resolve(load_space(path))


def test_a_space_brings_its_plugins(tmp_path):
    """`plugins:` of a space file is read from the folder of the file."""
    plugin(tmp_path, GOOD.format(name="plugged_c"), "ops_c.py")
    path = tmp_path / "mine.yaml"
    path.write_text("primitives: [none, plugged_c, skip_connect]\nplugins: [ops_c.py]\n")
    resolve(load_space(path))
    assert get_operator("plugged_c").family == "conv"
