"""Methods that repair DARTS against the numbers of their authors' code, in float64."""

from types import SimpleNamespace

import pytest
import torch
from torch.nn.functional import cross_entropy

from nas.config import SearchConfig
from nas.distributed.ranks import ALONE
from nas.genotype import published_genotypes
from nas.genotype.cells import without_gaps
from nas.models import GenotypeNetwork
from nas.operators import resolve
from nas.runtime.complexity import count_parameters
from nas.runtime.compute import Compute
from nas.runtime.run_directory import RunDirectory
from nas.search import Architect, SearchData, Searcher
from nas.search.data import NumImages
from nas.search.epoch_record import count_skips
from nas.search.method import Method, Progress
from nas.search.methods.beta_darts import BetaDarts
from nas.search.methods.darts_minus import AuxiliaryEdge, DartsMinus
from nas.search.methods.fair_darts import FairDarts, ZeroOne
from nas.search.methods.oles import Oles, OlesState, similarity
from nas.search.methods.sdarts_adv import SdartsAdv, loss_at
from nas.search.methods.sdarts_rs import SdartsRs
from nas.search.perturbation import clip_rows, epsilon_of
from nas.space import load_space
from nas.supernet import Alphas, EdgeWeights, Supernet
from tests.golden import fill
from tests.golden.test_darts import close, genotype_of
from tests.golden.test_methods import GROUPS, MEASURING, batches, filled_net, formats

GOLDEN = fill.load("methods_regularised.json")
DARTS = tuple(GOLDEN["oles"]["static"]["primitives"])
SMALL = {"init_channels": 8, "num_cells": 4, "batch": 4}


def space_of(primitives):
    space = load_space("+".join(primitives))
    resolve(space)
    return space


def without_none():
    return space_of(DARTS[1:])


@torch.no_grad()
def alphas_of(space, scale, phase=0.0):
    """Fill alphas by the rule of the file."""
    alphas = Alphas(space).double()
    edge = torch.arange(space.num_edges, dtype=torch.float64)[:, None]
    primitive = torch.arange(len(space.primitives), dtype=torch.float64)
    alphas.normal.copy_(scale * torch.sin(1.7 * edge + 0.9 * primitive + phase))
    alphas.reduce.copy_(scale * torch.cos(1.3 * edge + 0.6 * primitive + phase))
    return alphas


def first_order(method, net, alphas, val_batch, progress=MEASURING):
    """Return the gradient of the alphas with the terms of the method."""
    optimizer = torch.optim.SGD(net.parameters(), lr=0.025)
    return Architect(net, alphas, cross_entropy, optimizer).gradient(
        val_batch,
        arch_weights=lambda: method.arch_weights(alphas, progress, None),
        term=(lambda: sum(term(alphas, progress) for term in method.terms()))
        if method.terms()
        else None,
    )


def sum_abs_gradients(net):
    return sum(w.grad.abs().sum() for w in net.parameters() if w.grad is not None)


class TestFairDarts:
    CASE = GOLDEN["fairdarts"]["supernet"][0]

    @formats
    def test_supernet(self, memory_format, by_source):
        """Sigmoid weights: logits, loss and gradients on the training batch."""
        case, method, space = self.CASE, FairDarts(), without_none()
        assert space.primitives == tuple(case["primitives"])
        net = filled_net(method, space, case, memory_format, by_source)
        assert count_parameters(net) == case["num_weight_parameters"]
        alphas = alphas_of(space, case["alpha_scale"], case["alpha_phase"])
        (images, targets), _ = batches(case, memory_format)
        logits = net(images, method.arch_weights(alphas, MEASURING, None))
        loss = cross_entropy(logits, targets)
        loss.backward()
        close(logits, case["logits"])
        close(loss, case["cross_entropy"])
        close(sum_abs_gradients(net), case["sum_abs_grad_weights"])
        for group in GROUPS:
            close(alphas[group].grad, case["grad_alpha_cross_entropy"][group])

    @pytest.mark.parametrize("form", ["l2", "l1"])
    def test_alpha_step(self, form):
        """The gradient with the zero-one loss, and the alphas after one step of Adam."""
        case, space = self.CASE, without_none()
        method = FairDarts(weight=case["weight"], form=form)
        net = filled_net(method, space, case, torch.contiguous_format, by_source=True)
        alphas = alphas_of(space, case["alpha_scale"], case["alpha_phase"])
        _, val_batch = batches(case, torch.contiguous_format)
        gradient = first_order(method, net, alphas, val_batch)
        expected = case[f"val_{form}"]
        close(gradient.val_loss, expected["cross_entropy"])
        term = sum(term(alphas, MEASURING) for term in method.terms())
        close(term, case["weight"] * expected["zero_one"])
        close(gradient.val_loss + term, expected["total"])
        for group in GROUPS:
            close(gradient.gradients[group], expected["grad_alpha"][group])
            alphas[group].grad = gradient.gradients[group]
        adam = torch.optim.Adam(alphas.parameters(), lr=3e-3, betas=(0.9, 0.999), weight_decay=1e-3)
        adam.step()
        for group in GROUPS:
            close(alphas[group], case[f"alphas_after_one_step_{form}"][group])

    @pytest.mark.parametrize(
        "case", GOLDEN["fairdarts"]["zero_one"], ids=lambda c: c["alpha_scale"]
    )
    @pytest.mark.parametrize("form", ["l2", "l1"])
    def test_zero_one_loss(self, case, form):
        """Values and gradients; at alphas of 0 both are exactly 0."""
        alphas = alphas_of(without_none(), case["alpha_scale"], case["alpha_phase"])
        expected = case[form]
        value = ZeroOne(1.0, form)(alphas, MEASURING)
        close(value, expected["value"])
        value.backward()
        close(alphas.normal.grad[[0, 13]], expected["grad_normal_rows_0_and_13"])
        close(alphas.reduce.grad[5], expected["grad_reduce_row_5"])
        total = alphas.normal.grad.abs().sum() + alphas.reduce.grad.abs().sum()
        close(total, expected["sum_abs_grad"])

    @pytest.mark.parametrize("case", GOLDEN["fairdarts"]["decode"], ids=lambda c: c["phase"])
    def test_decode(self, case):
        """All three rules of the code keep the same entries in the same order."""
        space = without_none()
        alphas = phase_alphas(space, case["scale"], case["phase"])
        rules = {
            "darts": FairDarts(threshold=0),
            "threshold_sparse": FairDarts(threshold=case["threshold"]),
            "threshold_edge": FairDarts(threshold=case["threshold"], keep="all_edges"),
        }
        for group, at_threshold in zip(GROUPS, case["num_weights_at_or_above"], strict=True):
            ops = rules["darts"].distribution(alphas, MEASURING)[group].ops
            measures = rules["threshold_sparse"].measures(alphas, MEASURING)
            assert measures[f"at_threshold/{group}"] == at_threshold
            for name, method in rules.items():
                entries = method.entries(group, ops, space)
                if name == "darts":
                    entries = [(primitive, source) for primitive, _, source in entries]
                assert [list(entry) for entry in entries] == case[name][group]

    @pytest.mark.parametrize("name", GOLDEN["published"]["fairdarts_triples"])
    def test_published_cells(self, name):
        """Cells with missing nodes are known by name and have the size of the authors' network."""
        case = GOLDEN["published"]["fairdarts_triples"][name]
        genotype = published_genotypes()[name]
        for group in GROUPS:
            nodes, _ = without_gaps([tuple(entry) for entry in case[group]])
            assert getattr(genotype, group) == tuple(map(tuple, nodes))
        check_size(genotype, case["parameters"], case["parameters_with_auxiliary"])


class TestBetaDarts:
    @pytest.mark.parametrize("case", GOLDEN["beta_darts"]["regulariser"], ids=lambda c: c["edges"])
    def test_regularizer(self, case):
        """The term over all rows, and over one matrix as in the code."""
        shape = (case["edges"], case["primitives"])
        if case["edges"] == 14:
            space = space_of(DARTS)
            alphas = alphas_of(space, case["alpha_scale"], case["alpha_phase"])
        else:
            alphas = Rows(shape, case["alpha_scale"])
        assert alphas.normal.shape == shape
        (term,) = BetaDarts(weight=1).terms()
        expected = case["mean_over_all_edges"]
        value = term(alphas, Progress(1, 50))
        close(value, expected["value"])
        value.backward()
        close(alphas.normal.grad[0], expected["grad_normal_row_0"])
        close(alphas.reduce.grad[0], expected["grad_reduce_row_0"])
        for group in GROUPS:
            one = Rows.only(alphas, group)
            value = term(one, Progress(1, 50))
            close(value, case[group]["value"])
            close(torch.autograd.grad(value, one[group])[0], case[group]["grad"])

    @pytest.mark.parametrize(
        "at", GOLDEN["beta_darts"]["architect_gradient"][0]["at"], ids=lambda c: c["epoch"]
    )
    def test_architect(self, at):
        """The coefficient is half the epoch, and the term joins the gradient of the loss."""
        case, method, space = SMALL, BetaDarts(), space_of(DARTS)
        net = filled_net(method, space, case, torch.contiguous_format, by_source=True)
        alphas = alphas_of(space, 0.1)
        _, val_batch = batches(case, torch.contiguous_format)
        assert method.weight * at["epoch"] == at["lambda"]
        gradient = first_order(method, net, alphas, val_batch, Progress(at["epoch"], 50))
        close(gradient.normal, at["grad_normal"])
        close(gradient.reduce, at["grad_reduce"])


class Rows(dict):
    """Alphas as a term sees them, of any shape."""

    def __init__(self, shape, scale):
        edge = torch.arange(shape[0], dtype=torch.float64)[:, None]
        primitive = torch.arange(shape[1], dtype=torch.float64)
        self["normal"] = (scale * torch.sin(1.7 * edge + 0.9 * primitive)).requires_grad_()
        self["reduce"] = (scale * torch.cos(1.3 * edge + 0.6 * primitive)).requires_grad_()

    @classmethod
    def only(cls, alphas, group):
        rows = cls((1, 1), 0)
        rows.clear()
        rows[group] = alphas[group]
        return rows

    @property
    def groups(self):
        return tuple(self)

    @property
    def normal(self):
        return self["normal"]

    @property
    def reduce(self):
        return self["reduce"]

    def logits_of(self, group):
        return self[group]


@torch.no_grad()
def phase_alphas(space, scale, phase):
    alphas = Alphas(space).double()
    edge = torch.arange(1, space.num_edges + 1, dtype=torch.float64)[:, None]
    primitive = torch.arange(1, len(space.primitives) + 1, dtype=torch.float64)
    angle = 12.9898 * edge + 78.233 * primitive + phase
    alphas.normal.copy_(scale * torch.sin(angle))
    alphas.reduce.copy_(scale * torch.cos(angle))
    return alphas


def check_size(genotype, parameters, with_auxiliary=None):
    with torch.device("meta"):
        net = GenotypeNetwork(genotype, num_classes=10, init_channels=36, num_cells=20)
    assert count_parameters(net, auxiliary=False) == parameters
    if with_auxiliary is not None:
        assert count_parameters(net) == with_auxiliary


@pytest.mark.parametrize("name", GOLDEN["published"]["pairs"])
def test_published_cells(name):
    """The cells of the authors are known by name and have the size they publish."""
    case = dict(GOLDEN["published"]["pairs"][name])
    concat = {f"{group}_concat": (2, 3, 4, 5) for group in GROUPS}
    genotype = published_genotypes()[name]
    assert genotype == genotype_of(case | concat)
    assert count_skips(genotype, "normal") == case["skips_in_normal"]
    check_size(genotype, case["parameters"])


class TestDartsMinus:
    CASE = GOLDEN["darts_minus"]["supernet"][0]

    @pytest.mark.parametrize(
        "at",
        [CASE["at"][1], *(pytest.param(at, marks=pytest.mark.slow) for at in CASE["at"][::2])],
        ids=lambda at: at["beta"],
    )
    @formats
    def test_supernet(self, memory_format, by_source, at):
        """At a given beta: logits, gradients, and those of the validation batch."""
        case, method, space = self.CASE, DartsMinus(beta=at["beta"]), space_of(DARTS)
        net = filled_net(method, space, case, memory_format, by_source)
        assert count_parameters(net) == case["num_weight_parameters"]
        auxiliary = [m.auxiliary for m in net.modules() if isinstance(m, AuxiliaryEdge)]
        assert sum(map(count_parameters, auxiliary)) == case["auxiliary_weight_parameters"]
        alphas = alphas_of(space, case["alpha_scale"], case["alpha_phase"])
        train_batch, val_batch = batches(case, memory_format)
        logits = net(train_batch[0], method.arch_weights(alphas, MEASURING, None))
        close(logits, at["logits"])
        if at["beta"] == 0:
            close(logits, case["logits_without_auxiliary"])
        loss = cross_entropy(logits, train_batch[1])
        close(loss, at["loss"])
        loss.backward()
        close(sum_abs_gradients(net), at["sum_abs_grad_weights"])
        for group in GROUPS:
            close(alphas[group].grad, at[f"grad_alpha_{group}"])
        gradient = first_order(method, net, alphas, val_batch)
        close(gradient.val_loss, at["val_loss"])
        sums = torch.stack([gradient.gradients[group].abs().sum() for group in GROUPS])
        close(sums, at["val_grad_alpha_sum_abs"])

    @pytest.mark.parametrize("name", GOLDEN["darts_minus"]["beta_schedule_50_epochs"])
    def test_schedule(self, name):
        method = DartsMinus(schedule="constant" if name == "None" else name)
        for epoch, beta in GOLDEN["darts_minus"]["beta_schedule_50_epochs"][name]:
            assert method.beta_of(Progress(epoch, 50)) == pytest.approx(beta, abs=1e-12)


def noise_of_call(alphas, call):
    """Return the noise of the k-th call of a run, normal first."""
    shape = alphas.normal.shape
    return {g: 2 * fill.hashed(tuple(shape), seed=200 + call + i) for i, g in enumerate(GROUPS)}


class TestSmoothDarts:
    @pytest.mark.parametrize("at", GOLDEN["smoothdarts"]["rs"][0]["at"], ids=lambda a: a["epsilon"])
    def test_random(self, at):
        """Perturbed weights, and the weight step at them."""
        case, space = GOLDEN["smoothdarts"]["rs"][0], without_none()
        method = SdartsRs(epsilon=at["epsilon"], epsilon_first=at["epsilon"])
        net = filled_net(method, space, case, torch.contiguous_format, by_source=True)
        assert count_parameters(net) == case["num_weight_parameters"]
        alphas = alphas_of(space, case["alpha_scale"], case["alpha_phase"])
        weights = method.perturbed(alphas, MEASURING, noise_of_call(alphas, 0))
        train_batch, _ = batches(case, torch.contiguous_format)
        for group in GROUPS:
            close(weights[group].ops, at[f"weights_{group}"])
        check_weight_step(net, weights, train_batch, at)
        plain = cross_entropy(
            net(train_batch[0], method.arch_weights(alphas, MEASURING, None)), train_batch[1]
        )
        close(plain, case["loss_without_perturbation"])

    @pytest.mark.slow
    @pytest.mark.parametrize("index", range(3))
    def test_adversarial(self, index):
        """All losses of the attack, the weights that it finds, and the weight step at them."""
        case, space = GOLDEN["smoothdarts"]["adv"][0], without_none()
        at, attack = case["at"][index], case["attacks"][index]
        method = SdartsAdv(epsilon=at["epsilon"], epsilon_first=at["epsilon"], steps=at["steps"])
        net = filled_net(method, space, case, torch.contiguous_format, by_source=True)
        alphas = alphas_of(space, case["alpha_scale"], case["alpha_phase"])
        train_batch, _ = batches(case, torch.contiguous_format)
        plain = method.arch_weights(alphas, MEASURING, None)
        with torch.no_grad():
            for _ in range(attack["training_forwards"]):
                net(train_batch[0], plain)
        searcher = SimpleNamespace(
            net=net.eval(),
            device=torch.device("cpu"),
            compute=Compute(torch.device("cpu")),
            loss=cross_entropy,
            weight_scaler=torch.amp.GradScaler(enabled=False),
            ranks=ALONE,
        )
        smallest = []

        def loss(point, needs_gradient):
            value, gradient = loss_at(searcher, train_batch, point, needs_gradient)
            if needs_gradient:
                slopes = torch.cat([slope.abs().flatten() for slope in gradient.values()])
                smallest.append(slopes[slopes > 0].min())
            return value, gradient

        noise = noise_of_call(alphas, 0) if at["random_start"] else None
        point, losses = method.attack(loss, alphas, at["epsilon"], noise)
        close(torch.stack(losses), at["losses_eval_mode"])
        assert (losses[0] > losses[-1]) == at["reverted"]
        close(torch.stack(smallest).min(), at["smallest_nonzero_abs_gradient"])
        for group in GROUPS:
            close(point[group], at[f"weights_{group}"])
        moves = [(point[g] - plain[g].ops).abs().max() for g in GROUPS]
        close(torch.stack(moves).max(), at["max_abs_move"])
        weights = {group: EdgeWeights(ops) for group, ops in point.items()}
        check_weight_step(net.train(), weights, train_batch, at["weight_step"])

    def test_clip(self):
        case = GOLDEN["smoothdarts"]["clip"]
        before = torch.tensor(case["before"], dtype=torch.float64)
        close(clip_rows(before, torch.ones_like(before, dtype=torch.bool)), case["after"])

    @pytest.mark.parametrize("epochs", GOLDEN["smoothdarts"]["epsilon_schedule"])
    def test_epsilon(self, epochs):
        for epoch, epsilon in GOLDEN["smoothdarts"]["epsilon_schedule"][epochs]:
            found = epsilon_of(Progress(epoch, int(epochs)), 0.3, 0.03)
            assert found == pytest.approx(epsilon, abs=1e-12)


@pytest.fixture(scope="module")
def gradients():
    """Operators by cell and edge, and gradients of both batches at the same weights."""
    case, space = GOLDEN["oles"]["static"], space_of(DARTS)
    net = filled_net(Method(), space, case, torch.contiguous_format, by_source=True)
    assert count_parameters(net) == case["num_weight_parameters"]
    alphas = alphas_of(space, case["alpha_scale"], case["alpha_phase"])
    shared = Method().arch_weights(alphas, MEASURING, None)
    weights = {group: of_group.detach() for group, of_group in shared.items()}
    found = []
    for images, targets in batches(case, torch.contiguous_format):
        net.zero_grad()
        cross_entropy(net(images, weights), targets).backward()
        found.append({name: w.grad for name, w in net.named_parameters() if w.grad is not None})
    train, val = found
    norm = torch.nn.utils.get_total_norm(list(train.values()))
    close(norm, case["norm_grad_train"])
    clipped = {name: slope * min(1, 5 / (norm + 1e-6)) for name, slope in train.items()}
    return net, clipped, val


class TestOles:
    STATIC = GOLDEN["oles"]["static"]

    def similarities(self, gradients, reference):
        net, train, val = gradients
        state = OlesState(Oles(reference=reference), net)
        state.gradients = train
        return state.similarities(val).view(4, 14, 4)

    def test_similarity_of_the_code(self, gradients):
        """Biased, because it compares g_train with g_train + g_val."""
        close(self.similarities(gradients, True), self.STATIC["train_plus_val_against_train"])

    def test_clean_similarity(self, gradients):
        close(self.similarities(gradients, False), self.STATIC["val_against_train"])

    def test_other_definitions_differ(self, gradients):
        """Cosines of flat tensors and of whole operators are other numbers, which the file has."""
        net, train, val = gradients
        flat, whole = [], []
        for names in OlesState(Oles(), net).tensors.values():
            pairs = [(train[name].flatten(), val[name].flatten()) for name in names]
            flat.append(similarity(pairs))
            whole.append(similarity([tuple(map(torch.cat, zip(*pairs, strict=True)))]))
        for values, key in (
            (flat, "flat_per_tensor_then_mean_restated"),
            (whole, "whole_operation_as_one_vector_restated"),
        ):
            close(torch.stack(values).view(4, 14, 4), self.STATIC[key])

    @pytest.mark.slow
    def test_sequence(self, tmp_path):
        """Three steps of the search loop: similarities, alphas and weights."""
        case, space, method = GOLDEN["oles"]["sequence"], space_of(DARTS), Oles()
        net = filled_net(method, space, SMALL, torch.contiguous_format, by_source=True)
        alphas = alphas_of(space, case["alpha_scale"], case["alpha_phase"])
        num = case["batch"]
        loaders = [
            FixedBatches(
                [fill.batch(num, (2 * step + half) * num) for step in range(case["steps"])]
            )
            for half in (0, 1)
        ]
        searcher = Searcher(
            config=SearchConfig(
                method="oles",
                epochs=50,
                batch_size=num,
                **{key: case[key] for key in ("init_channels", "num_cells")},
            ),
            space=space,
            net=net,
            alphas=alphas,
            loss=cross_entropy,
            data=SearchData(
                train_loader=loaders[0],
                val_loader=loaders[1],
                measure_loader=lambda epoch: loaders[1],
                image_shape=(3, 32, 32),
                num_classes=10,
                num_images=NumImages(num, num),
            ),
            run=RunDirectory.create(tmp_path / "run", {}),
            method=method,
        )
        sums = []
        searcher.step_done = lambda: sums.append(searcher.method_state.sums.clone())
        searcher._train()
        assert case["similarity_at_step_0_is_zero"] and not sums[0].any()
        for step, before, after in zip("12", sums[:-1], sums[1:], strict=True):
            close((after - before).view(4, 14, 4), case["similarity_at_step"][step])
        close(alphas.normal[0], case["alphas_after_normal_row_0"])
        total = sum(w.abs().sum() for w in net.parameters())
        close(total, case["sum_abs_weights_after"])

    @pytest.mark.parametrize("case", GOLDEN["oles"]["freezing"], ids=lambda c: c["similarity"])
    def test_freezing(self, case, monkeypatch):
        """The code checks at the 21st value and divides the sum by 20."""
        net = Supernet(space_of(("skip_connect", "sep_conv_3x3")), init_channels=4, num_cells=3)
        state = OlesState(Oles(), net)
        constant = torch.full_like(state.sums, case["similarity"])
        monkeypatch.setattr(state, "similarities", lambda validation: constant)
        frozen_at = None
        for check in range(1, 43):
            state.compare({})
            if frozen_at is None and all(state.frozen.values()):
                frozen_at = check
        assert frozen_at == case["frozen_at_check"]
        trained = [w.requires_grad for name, w in net.named_parameters() if ".operators.1." in name]
        assert trained and not any(trained) == (frozen_at is not None)


class FixedBatches(list):
    """Batches as a loader that can be resumed."""

    def state_dict(self):
        return {}


def check_weight_step(net, weights, batch, expected):
    logits = net(batch[0], weights)
    loss = cross_entropy(logits, batch[1])
    loss.backward()
    close(logits, expected["logits"])
    close(loss, expected["loss"])
    close(sum_abs_gradients(net), expected["sum_abs_grad_weights"])
    norm = torch.nn.utils.get_total_norm([w.grad for w in net.parameters() if w.grad is not None])
    close(norm, expected["norm_grad_weights"])
    net.zero_grad()
