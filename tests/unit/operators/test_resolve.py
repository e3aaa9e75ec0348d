"""A genotype is built as it was meant, or refused."""

import json

import pytest

from nas.errors import GenotypeError
from nas.genotype import Genotype, load_genotype
from nas.models import random_genotype
from nas.operators import resolve, resolve_genotype
from nas.space import load_space


def changed(**keys):
    """A sandglass genotype with parts of its JSON replaced."""
    space = load_space("sandglass+skip_connect")
    resolve(space)
    document = json.loads(random_genotype(space, 0).to_json())
    return Genotype.from_json(json.dumps(document | keys))


def test_what_is_published_can_be_built():
    resolve_genotype(load_genotype("DARTS_V2"))
    resolve_genotype(changed())


def test_settings_that_differ():
    """Found with ratio 4, built with 6: refused, both named."""
    operators = {"sandglass_3x3": {"label": "sandglass", "family": "sandglass"}}
    resolve_genotype(changed(operators=operators))  # nothing said, nothing contradicted
    operators["sandglass_3x3"]["settings"] = {"reduction_ratio": 4}
    with pytest.raises(GenotypeError, match=r"sandglass_3x3 .*'reduction_ratio': 4.*: 6"):
        resolve_genotype(changed(operators=operators))


def test_nodes_that_differ():
    space = {"name": "x", "num_nodes": 5, "primitives": ["skip_connect"], "plugins": []}
    with pytest.raises(GenotypeError, match="has 4 nodes, but says that its space has 5"):
        resolve_genotype(changed(space=space))


def test_a_plugin_is_named_but_not_imported(tmp_path):
    """A file from elsewhere may not choose what is executed."""
    plugin = tmp_path / "evil.py"
    plugin.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    space = {"name": "x", "num_nodes": 1, "primitives": ["my_op"], "plugins": [str(plugin)]}
    text = "Genotype(normal=[('my_op', 0), ('my_op', 1)], normal_concat=[2], "
    text += "reduce=[('my_op', 0), ('my_op', 1)], reduce_concat=[2])"
    document = json.loads(Genotype.from_text(text, "x").to_json()) | {"space": space}
    with pytest.raises(GenotypeError, match=r"unknown operator 'my_op'.*evil\.py.*if you trust"):
        resolve_genotype(Genotype.from_json(json.dumps(document)))
    assert not (tmp_path / "ran").exists()
