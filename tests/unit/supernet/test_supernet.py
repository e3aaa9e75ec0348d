"""The supernet against its definition: the weighted sum of the operators on each edge."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from nas.errors import SearchSpaceError
from nas.operators import get_operator, register_operator, resolve
from nas.search import Architect
from nas.search.method import entropy
from nas.space import CELL_TYPES, load_space
from nas.supernet import Alphas, EdgeRow, Supernet
from nas.supernet.arch_weights import by_group
from nas.supernet.edges import MixedEdge
from tests.plain import make_plain

SPACES = ["darts+sandglass", "darts+ir", "darts+ir+sandglass+conv_3x3", "s2", "s3", "mixed_edges"]


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def make(space, **settings):
    """A small supernet, alphas that are far from uniform, and a batch; all float64."""
    resolve(space)
    settings = {"init_channels": 4, "num_cells": 3, **settings}
    torch.manual_seed(1)
    net = Supernet(space, **settings).double()
    alphas = Alphas(space, init_std=1.0).double()
    channels = settings.get("in_channels", 3)
    return net, alphas, torch.randn(3, channels, 8, 8, dtype=torch.float64)


@pytest.mark.parametrize("name", SPACES)
def test_by_source_equals_the_plain_form(name):
    """Outputs, all gradients and the running statistics are those of edge-by-edge evaluation."""
    space = load_space(name)
    results = []
    for by_source in (True, False):
        net, alphas, x = make(space, by_source=by_source)
        if by_source:
            x = x.to(memory_format=torch.channels_last)  # as a run has it; the fast forms need it
        loss = net(x, alphas.weights()).square().sum()
        parameters = [*alphas.parameters(), *net.parameters()]
        gradients = torch.autograd.grad(loss, parameters, materialize_grads=True, allow_unused=True)
        in_eval = net.eval()(x, alphas.weights())
        results.append((loss, gradients, in_eval))
    torch.testing.assert_close(results[0], results[1], rtol=1e-9, atol=1e-9)


def both_forms(space, **settings):
    """Yield ours in channels_last and the plain form in NCHW, with equal weights; both fp32."""
    for is_plain in (False, True):
        net, alphas, x = make(space, by_source=not is_plain, **settings)
        if is_plain:
            make_plain(net)
        else:
            net, x = (v.to(memory_format=torch.channels_last) for v in (net, x))
        yield net.float(), alphas.float(), x.float()


@pytest.mark.parametrize(
    "name",
    [
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("darts", "darts+ir")),
        "darts+sandglass",
    ],
)
def test_gradients_in_fp32(name):
    """Of alphas and of weights: both forms are equally near to float64, up to rounding."""
    space = load_space(name)
    exact_net, exact_alphas, x = make(space, by_source=False)
    nets = [(make_plain(exact_net), exact_alphas, x), *both_forms(space)]
    found = []
    for net, alphas, images in nets:
        loss = cross_entropy(net(images, alphas.weights()), torch.arange(3))
        for parameters in (alphas.parameters(), net.parameters()):
            gradients = torch.autograd.grad(
                loss, [*parameters], retain_graph=True, materialize_grads=True, allow_unused=True
            )
            found.append(torch.cat([gradient.flatten().double() for gradient in gradients]))
    for exact, ours, plain in zip(found[0:2], found[2:4], found[4:6], strict=True):
        errors = [((other - exact).norm() / exact.norm()).item() for other in (ours, plain)]
        assert errors[0] < 1e-4 and errors[0] < 10 * errors[1] + 1e-6, errors


@pytest.mark.slow
def test_twenty_steps_in_fp32(tmp_path):
    """A search in fp32 by either form: weights and alphas stay as close as rounding allows."""
    path = tmp_path / "small.yaml"
    path.write_text(
        "num_nodes: 2\n"
        "primitives: [none, skip_connect, max_pool_3x3, sep_conv_3x3, dil_conv_5x5, "
        "sandglass_3x3]\n"
    )
    ends = []
    for net, alphas, x in both_forms(load_space(path), init_channels=2):
        batch = (x, torch.arange(3))
        parameters = [*net.parameters(), *alphas.parameters()]
        start = torch.cat([parameter.detach().flatten() for parameter in parameters])
        optimizer = torch.optim.SGD(net.parameters(), lr=0.025, momentum=0.9)
        alpha_optimizer = torch.optim.SGD(alphas.parameters(), lr=0.1)
        architect = Architect(net, alphas, cross_entropy, optimizer, order="second_order")
        for _ in range(20):
            architect.step(batch, batch)
            alpha_optimizer.step()
            optimizer.zero_grad()
            weights = [row.detach() for row in alphas.weights()]
            cross_entropy(net(x, weights), batch[1]).backward()
            optimizer.step()
        end = torch.cat([parameter.detach().flatten() for parameter in parameters])
        ends.append((end, end - start))
    (ours, moved), (plain, _) = ends
    num_alphas = sum(alpha.numel() for alpha in alphas.parameters())
    assert moved[:-num_alphas].norm() > 0.1 and moved[-num_alphas:].norm() > 0.01
    assert (ours - plain).norm() < 1e-3 * moved.norm()


def test_an_operator_that_declares_nothing_is_the_same_in_both_forms():
    """A plug-in with weights, randomless but undeclared, works as it is."""

    @register_operator("undeclared")
    def build(channels, stride, *, affine):
        return nn.Sequential(nn.Conv2d(channels, channels, 3, stride, 1), nn.Tanh())

    space = load_space("s3+undeclared")
    results = []
    for by_source in (True, False):
        net, alphas, x = make(space, by_source=by_source)
        if by_source:
            x = x.to(memory_format=torch.channels_last)
        logits = net(x, alphas.weights())
        inputs = [*alphas.parameters(), *net.parameters()]
        results.append((logits, torch.autograd.grad(logits.square().sum(), inputs)))
    torch.testing.assert_close(*results)


def test_a_sequence_with_a_forward_of_its_own_is_not_taken_apart():
    """A plug-in that derives from nn.Sequential and adds a shortcut keeps it."""

    class Residual(nn.Sequential):
        def forward(self, x):
            return x + super().forward(x)

    @register_operator("residual", relu_first=True, norm_last=True)
    def build(channels, stride, *, affine):
        layers = (
            nn.ReLU(),
            nn.Conv2d(channels, channels, 1),
            nn.BatchNorm2d(channels, affine=affine),
        )
        return Residual(*layers) if stride == 1 else nn.Sequential(*layers, nn.AvgPool2d(2))

    space = load_space("s3+residual")
    results = []
    for by_source in (True, False):
        net, alphas, x = make(space, by_source=by_source)
        if by_source:
            x = x.to(memory_format=torch.channels_last)
        logits = net(x, alphas.weights())
        inputs = [*alphas.parameters(), *net.parameters()]
        results.append((logits, torch.autograd.grad(logits.square().sum(), inputs)))
    torch.testing.assert_close(*results)


@pytest.mark.parametrize("stride", [1, 2])
def test_one_hot_weights_are_the_operator_alone(stride):
    """A weight of 1 on one primitive makes the mixed edge that operator."""
    primitives = load_space("darts+ir+sandglass").primitives
    edge = MixedEdge(primitives, primitives, 4, stride).double()
    x = torch.randn(2, 4, 8, 8, dtype=torch.float64)
    for column, operator in enumerate(edge.operators.values()):
        weights = torch.zeros(len(primitives), dtype=torch.float64)
        weights[column] = 1
        torch.testing.assert_close(edge(x, EdgeRow(weights.unbind())), operator(x))


def test_pooling_is_followed_by_a_norm_without_scale():
    """In a search a BatchNorm without parameters stands behind operators that ask for it."""
    primitives = load_space("darts").primitives
    edge = MixedEdge(primitives, primitives, 4, 1)
    for name, operator in zip(primitives, edge.operators.values(), strict=True):
        if get_operator(name).norm_in_search:
            assert type(operator[1]) is nn.BatchNorm2d and not operator[1].affine
    norms = [m for m in edge.modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms and not any(norm.affine for norm in norms)


def test_permuting_the_primitives_permutes_the_result(tmp_path):
    """The order of the columns is a name for them and nothing else."""
    space = load_space("darts+sandglass")
    order = torch.randperm(len(space.primitives)).tolist()
    path = tmp_path / "permuted.yaml"
    path.write_text(f"primitives: [{', '.join(space.primitives[i] for i in order)}]\n")
    other = load_space(path)
    net, alphas, x = make(space, by_source=False)
    permuted, others, _ = make(other, by_source=False)
    state = net.state_dict()
    for key, value in permuted.state_dict().items():
        parts = key.split(".")
        if "operators" in parts:
            place = parts.index("operators") + 1
            parts[place] = str(order[int(parts[place])])
        value.copy_(state[".".join(parts)])
    with torch.no_grad():
        others.normal.copy_(alphas.normal[:, order])
        others.reduce.copy_(alphas.reduce[:, order])
    torch.testing.assert_close(permuted(x, others.weights()), net(x, alphas.weights()))


class TestMaskedPairs:
    """Pairs that a space does not have: no weight, no gradient, no module."""

    @pytest.fixture
    def space(self):
        return load_space("mixed_edges")

    def test_weights(self, space):
        """Present pairs share the whole mass; absent ones weigh exactly nothing."""
        for cell_type, weights in zip(CELL_TYPES, Alphas(space).weights(), strict=True):
            mask = torch.tensor(space.mask(cell_type))
            assert not mask.all() and (weights[~mask] == 0).all() and (weights[mask] > 0).all()
            torch.testing.assert_close(weights.sum(dim=1), torch.ones(space.num_edges))

    def test_gradients_and_logits(self, space):
        """An absent pair has a zero gradient and shows as None."""
        net, alphas, x = make(space)
        net(x, alphas.weights()).square().sum().backward()
        for cell_type in CELL_TYPES:
            mask = torch.tensor(space.mask(cell_type))
            gradient = getattr(alphas, cell_type).grad
            assert gradient.isfinite().all() and (gradient[~mask] == 0).all()
            shown = alphas.logits()[cell_type]
            assert [[value is not None for value in row] for row in shown] == mask.tolist()

    def test_modules(self, space):
        """Each edge builds the operators of its own list."""
        net, _, _ = make(space, by_source=False)
        for cell in net.cells:
            on_edges = getattr(space, cell.cell_type)
            assert [len(edge.operators) for edge in cell.edges] == [len(e) for e in on_edges]


def test_entropy_of_uniform_weights():
    """Equal logits have ln(number of primitives on the edge), mean over the edges."""
    space = load_space("mixed_edges")
    alphas = Alphas(space, init_std=0.0)
    for group, on_edges in space.groups.items():
        sizes = torch.tensor([float(len(on_edge)) for on_edge in on_edges])
        mean = sizes.log().mean().item()
        assert entropy(alphas.softmax(group)) == pytest.approx(mean, rel=1e-6)


def test_an_edge_alone_is_right_when_its_operators_are_shared():
    """`forward` is the definition, whether the edge or its state holds the operators."""
    space = load_space("darts+sandglass")
    shared, alphas, _ = make(space)
    alone, _, _ = make(space, by_source=False)
    weights = by_group(alphas.weights(), alphas.groups)
    x = torch.randn(2, 4, 8, 8, dtype=torch.float64)
    row = weights["normal"].rows()[0]
    first, second = shared.cells[0].edges[0], alone.cells[0].edges[0]
    assert len(first.operators) < len(second.operators)
    torch.testing.assert_close(first(x, row), second(x, row))


@pytest.mark.parametrize("num_nodes", [1, 5])
@pytest.mark.parametrize(("in_channels", "size"), [(1, 8), (3, 17)])
def test_other_forms(tmp_path, num_nodes, in_channels, size):
    """Other numbers of nodes, channels and image sizes work, odd ones too."""
    path = tmp_path / "space.yaml"
    path.write_text(f"num_nodes: {num_nodes}\nprimitives: [none, skip_connect, dil_conv_3x3]\n")
    net, alphas, _ = make(load_space(path), in_channels=in_channels, num_classes=7)
    x = torch.randn(2, in_channels, size, size, dtype=torch.float64)
    assert net(x, alphas.weights()).shape == (2, 7)


def test_reductions_and_widths():
    """Cells n // 3 and 2n // 3 are reductions and double the channels; the stem has 3 C."""
    net = Supernet(load_space("s2"), init_channels=4, num_cells=8)
    assert [i for i, cell in enumerate(net.cells) if cell.cell_type == "reduce"] == [2, 5]
    assert net.stem[0].out_channels == 12
    assert net.classifier.in_features == 4 * 16


def test_a_node_that_nothing_reaches_is_an_error(tmp_path):
    """A space of `none` alone cannot be built."""
    path = tmp_path / "nothing.yaml"
    path.write_text("primitives: [none]\n")
    with pytest.raises(SearchSpaceError, match="nothing reaches node 2"):
        Supernet(load_space(path), init_channels=4, num_cells=3)


def test_a_module_is_registered_once():
    """functional_call leaves stand-ins behind in modules that are registered twice."""
    net, _, _ = make(load_space("darts"))
    names = [name for name, _ in net.named_modules(remove_duplicate=False)]
    assert len(names) == len(list(net.named_modules()))


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")
@pytest.mark.parametrize("init_channels", [2, 12], ids=["narrow", "wide"])
def test_a_compiled_network_has_the_gradients_of_an_eager_one(tmp_path, init_channels):
    """What an eager network computes in place or side by side, a compiled one does not."""
    path = tmp_path / "small.yaml"
    path.write_text("num_nodes: 2\nprimitives: [none, skip_connect, sep_conv_3x3]\n")
    net, alphas, x = make(load_space(path), init_channels=init_channels, num_cells=1)
    x = x.to(memory_format=torch.channels_last)
    weights = tuple(row.detach().requires_grad_() for row in alphas.weights())
    inputs = (*net.parameters(), *weights)
    results = []
    for function in (net, torch.compile(net, backend="aot_eager")):
        logits = function(x, weights)
        gradients = torch.autograd.grad(
            logits.sin().sum(), inputs, allow_unused=True, materialize_grads=True
        )
        results.append((logits, *gradients))
    torch.testing.assert_close(results[1], results[0], rtol=1e-8, atol=1e-8)
