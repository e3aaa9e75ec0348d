"""Search methods against the numbers of their authors' code, in float64."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from nas.genotype import Genotype
from nas.runtime.complexity import count_parameters
from nas.search import Architect
from nas.search.method import Method, Progress
from nas.search.methods.gdas import Gdas, one_hot
from nas.search.methods.pc_darts import PCDarts, softmax_by_node
from nas.search.sampling import gumbel_softmax
from nas.space import load_space
from nas.supernet import Alphas, EdgeRow, MixedEdge, Supernet
from nas.supernet.partial_edge import PartialEdge, channel_shuffle
from tests.golden import fill
from tests.golden.test_darts import close, genotype_of

GOLDEN = fill.load("methods_sampling.json")
MEASURING = Progress(0, 50)
GROUPS = ("normal", "reduce")


def formats(function):
    """Run a test in both memory formats, and edge by edge; all but the first are slow."""
    return pytest.mark.parametrize(
        ("memory_format", "by_source"),
        [
            (torch.channels_last, True),
            pytest.param(torch.contiguous_format, True, marks=pytest.mark.slow),
            pytest.param(torch.contiguous_format, False, marks=pytest.mark.slow),
        ],
        ids=["channels_last", "contiguous", "edge_by_edge"],
    )(function)


@torch.no_grad()
def filled_alphas(method, space, case):
    """Fill alphas and betas by the rules of the file."""
    alphas = Alphas(space, extra=method.extra_alphas(space)).double()
    edge = torch.arange(space.num_edges, dtype=torch.float64)
    primitive = torch.arange(len(space.primitives), dtype=torch.float64)
    for group, wave in (("normal", torch.sin), ("reduce", torch.cos)):
        p, q, r = case["alphas"][group]
        angle = p * edge[:, None] + q * primitive + r
        alphas[group].copy_(case["alphas"]["amplitude"] * wave(angle))
        if "betas" in case:
            p, r = case["betas"][group]
            alphas[f"{group}_beta"].copy_(case["betas"]["amplitude"] * wave(p * edge + r))
    return alphas


def filled_net(method, space, case, memory_format, by_source):
    net = Supernet(
        space,
        init_channels=case["init_channels"],
        num_cells=case["num_cells"],
        by_source=by_source,
        build_edge=method.build_edge,
    )
    return fill.fill_weights(net).train().to(memory_format=memory_format)


def batches(case, memory_format):
    for offset in (0, case["batch"]):
        images, targets = fill.batch(case["batch"], offset)
        yield images.contiguous(memory_format=memory_format), targets


def check_supernet(method, space, case, noise, memory_format, by_source):
    """Compare logits, loss, gradients of all parameters, and the architect's gradient."""
    net = filled_net(method, space, case, memory_format, by_source)
    alphas = filled_alphas(method, space, case)
    (images, targets), val_batch = batches(case, memory_format)
    assert count_parameters(net) == case["num_weight_parameters"]

    def arch_weights():
        return method.arch_weights(alphas, case.get("progress", MEASURING), noise)

    logits = net(images, arch_weights())
    loss = cross_entropy(logits, targets)
    close(logits, case["logits"])
    close(loss, case["loss"])
    loss.backward()
    gradients = [w.grad for w in net.parameters() if w.grad is not None]
    close(sum(g.abs().sum() for g in gradients), case["sum_abs_grad_weights"])
    for group in GROUPS:
        close(alphas[group].grad, case[f"grad_alpha_{group}"])
        if "betas" in case:
            close(alphas[f"{group}_beta"].grad, case[f"grad_beta_{group}"])

    net = filled_net(method, space, case, memory_format, by_source)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.025)
    gradient = Architect(net, alphas, cross_entropy, optimizer).gradient(
        val_batch, arch_weights=arch_weights
    )
    expected = case["first_order"]
    close(gradient.val_loss, expected["val_loss"])
    for group in GROUPS:
        close(gradient.gradients[group], expected.get(f"alpha_{group}", expected.get(group)))
        if "betas" in case:
            close(gradient.gradients[f"{group}_beta"], expected[f"beta_{group}"])
    return net, alphas


class TestPCDarts:
    @formats
    def test_supernet(self, memory_format, by_source):
        """Logits, gradients of alphas and betas, the architect and the decoded cells agree."""
        case = GOLDEN["pcdarts"]["supernet"][0]
        method, space = PCDarts(channel_fraction=case["k"]), load_space("darts")
        _, alphas = check_supernet(method, space, case, None, memory_format, by_source)
        for group in GROUPS:
            edge = method.distribution(alphas, MEASURING)[group].edge
            close(edge, case[f"edge_weights_{group}"])
        assert method.decode(alphas, space, MEASURING) == genotype_of(case["genotype"])

    @pytest.mark.parametrize("case", GOLDEN["pcdarts"]["mixed_edge"], ids=lambda c: c["stride"])
    def test_one_edge(self, case):
        """All output channels of single pixels agree, those that bypass the operators too."""
        primitives = load_space("darts").primitives
        inner = MixedEdge(primitives, primitives, case["channels"] // case["k"], case["stride"])
        edge = fill.fill_weights(PartialEdge(inner, case["k"], case["stride"])).train()
        assert count_parameters(edge) == case["num_weight_parameters"]
        row = torch.sin(0.9 * torch.arange(8, dtype=torch.float64)) * 0.1
        x = fill.hashed((2, case["channels"], 8, 8), seed=601) * 12**0.5
        out = edge(x, EdgeRow(row.softmax(0).unbind()))
        assert list(out.shape) == case["shape"]
        close(out.sum(), case["sum"])
        close(out.abs().sum(), case["sum_abs"])
        close(out[0, :, 0, 0], case["pixel_0_0_0"])
        if "pixel_1_3_2" in case:
            close(out[1, :, 3, 2], case["pixel_1_3_2"])

    @pytest.mark.parametrize("case", GOLDEN["pcdarts"]["channel_shuffle"])
    def test_channel_shuffle(self, case):
        x = torch.arange(case["channels"], dtype=torch.float64).view(1, -1, 1, 1)
        shuffled = channel_shuffle(x, case["k"]).flatten().int().tolist()
        assert shuffled == case["source_of_output_channel"]

    @pytest.mark.parametrize("case", GOLDEN["pcdarts"]["decode"], ids=lambda c: c["phase"])
    def test_decode(self, case):
        """Betas change which edges stay."""
        method, space = PCDarts(), load_space("darts")
        alphas = Alphas(space, extra=method.extra_alphas(space)).double()
        fill_by_phase(alphas, case["phase"])
        decoded = method.decode(alphas, space, MEASURING)
        assert decoded == genotype_of(case["genotype"])
        without = Method().decode(alphas, space, MEASURING)
        assert without == genotype_of(case["genotype"] | case["without_betas"])
        assert (without != decoded) == case["betas_change_it"]

    def test_size_of_the_published_search_network(self):
        case = GOLDEN["pcdarts"]["published_search_network"]
        net = Supernet(
            load_space("darts"),
            init_channels=case["init_channels"],
            num_cells=case["num_cells"],
            build_edge=PCDarts(case["k"]).build_edge,
        )
        assert count_parameters(net) == case["num_weight_parameters"]

    def test_edge_weights_sum_to_one_at_each_node(self):
        space = load_space("darts")
        weights = softmax_by_node(torch.randn(space.num_edges, dtype=torch.float64), space.edges)
        for target in range(2, 6):
            edges = list(space.incoming(target))
            torch.testing.assert_close(weights[edges].sum(), torch.ones((), dtype=torch.float64))


class TestGdas:
    @formats
    def test_supernet(self, memory_format, by_source):
        """Only the drawn operators run; logits and alpha gradients are those of the authors."""
        case = dict(GOLDEN["gdas"]["darts_supernet"][0])
        method, space = Gdas(tau_max=case["tau"], tau_min=case["tau"]), load_space("darts")
        _, alphas = check_supernet(
            method, space, case, noise_of(case["noise"]), memory_format, by_source
        )
        weights = method.arch_weights(alphas, MEASURING, noise_of(case["noise"]))
        probabilities = method.p(alphas, MEASURING, noise_of(case["noise"]))
        for group in GROUPS:
            assert list(weights[group].chosen) == case[f"selected_{group}"]
            close(probabilities[group], case[f"probs_{group}"])

    def test_nothing_else_runs(self):
        """Weights without a gradient, and BatchNorms without a batch, are as many as there."""
        case = GOLDEN["gdas"]["darts_supernet"][0]
        method, space = Gdas(tau_max=case["tau"], tau_min=case["tau"]), load_space("darts")
        net = filled_net(method, space, case, torch.contiguous_format, by_source=False)
        alphas = filled_alphas(method, space, case)
        images, targets = next(batches(case, torch.contiguous_format))
        weights = method.arch_weights(alphas, MEASURING, noise_of(case["noise"]))
        cross_entropy(net(images, weights), targets).backward()
        without = sum(w.numel() for w in net.parameters() if w.grad is None)
        norms = [m for m in net.modules() if isinstance(m, torch.nn.BatchNorm2d)]
        assert without == case["num_weight_parameters_without_gradient"]
        assert len(norms) == case["num_batchnorms"]
        saw = sum(int(norm.num_batches_tracked) for norm in norms)
        assert saw == case["num_batchnorms_that_saw_the_batch"]

    @pytest.mark.parametrize("case", GOLDEN["gdas"]["sampler"], ids=lambda c: c["tau"])
    @pytest.mark.parametrize("group", GROUPS)
    def test_sampler(self, case, group):
        """Draw, probabilities and the straight-through gradient agree at every temperature."""
        of_file = GOLDEN["gdas"]["darts_supernet"][0]
        alpha = filled_alphas(Gdas(), load_space("darts"), of_file)[group]
        seed = 401
        p = gumbel_softmax(alpha, noise_of(of_file["noise"])[group], case["tau"])
        weights = one_hot(p)
        expected = case[group]
        assert list(weights.chosen) == expected["selected"]
        close(p, expected["probs"])
        coefficients = fill.hashed(tuple(alpha.shape), seed=seed)
        (gradient,) = torch.autograd.grad((coefficients * weights.ops).sum(), alpha)
        close(gradient, expected["grad_alpha_of_sum_c_w"])

    @pytest.mark.parametrize("case", GOLDEN["gdas"]["decode"], ids=lambda c: c["phase"])
    def test_decode(self, case):
        """Both entries of a node may read the same input."""
        method, space = Gdas(), load_space("darts")
        alphas = Alphas(space).double()
        fill_by_phase(alphas, case["phase"])
        cells = {key: case[key] for group in GROUPS for key in (group, f"{group}_concat")}
        decoded = method.decode(alphas, space, MEASURING)
        assert decoded == Genotype(**cells)
        for group in GROUPS:
            twice = [
                target
                for target, node in enumerate(getattr(decoded, group), start=2)
                if len({source for _, source in node}) < len(node)
            ]
            assert twice == case[f"{group}_nodes_with_one_input_twice"]

    def test_temperatures(self):
        case = GOLDEN["gdas"]["tau_schedule"]
        method = Gdas(tau_max=case["tau_max"], tau_min=case["tau_min"])
        for epoch, tau in case["values"].items():
            found = method.tau(Progress(int(epoch), case["total_epochs"]))
            assert found == pytest.approx(tau, abs=1e-12)


def noise_of(seeds):
    """Return Gumbel noise by the rule of the file."""
    noise = {}
    for group in GROUPS:
        u = (fill.hashed((14, 8), seed=seeds[group]) + 0.5).clamp(1e-6, 1 - 1e-6)
        noise[group] = -(-u.log()).log()
    return noise


@torch.no_grad()
def fill_by_phase(alphas, phase):
    """Fill alphas, and betas where there are some, by the phase rule."""
    edge = torch.arange(1, 15, dtype=torch.float64)
    primitive = torch.arange(1, 9, dtype=torch.float64)
    angle = 12.9898 * edge[:, None] + 78.233 * primitive + phase
    for group, wave in (("normal", torch.sin), ("reduce", torch.cos)):
        alphas[group].copy_(wave(angle))
        if f"{group}_beta" in dict(alphas.named_parameters()):
            alphas[f"{group}_beta"].copy_(1.5 * wave(4.1414 * edge + phase))
