"""Searches on a GPU that does not exist, at a small size."""

from functools import cache

import torch
from torch.nn.functional import cross_entropy

from nas.config import SearchConfig
from nas.data import DatasetInfo, TensorLoader, TrainTransform
from nas.operators import resolve
from nas.runtime.compute import Compute
from nas.search import SearchData, Searcher
from nas.search.data import NumImages
from nas.search.network import build_network
from nas.space import SearchSpace, load_space
from nas.space.blocks import Candidate
from nas.space.chain import ChainSpace, Stage, Stem
from nas.supernet import Alphas
from tests.contract.test_chain_methods import SETTINGS
from tests.contract.test_methods import METHODS_AT_TEST_SIZE, method_of
from tests.gpu.fake import GPU

SIZE, BATCH, NUM_STEPS = 32, 4, 3
INFO = DatasetInfo("random", ("a", "b", "c"), SIZE, (0.5,) * 3, (0.25,) * 3)
SMALL = ("none", "skip_connect", "max_pool_3x3", "sep_conv_3x3")
BLOCKS = (Candidate("sandglass", 2, 3), Candidate("sandglass", 2, 5))
CHAIN = ChainSpace(
    "tiny", Stem(4), (), (Stage(8, 2, (1, 2), BLOCKS), Stage(8, 2, (2, 3), BLOCKS)), ()
)
"""Every row may choose its column 1, which is what is read where columns are."""
SIZES = {
    "cell": {"init_channels": 4, "num_cells": 3},
    "nasbench201": {"init_channels": 4, "num_cells": 1},
    "chain": {},
}
"""By family."""


def space_of(primitives):
    edges = (primitives,) * 5
    space = SearchSpace("tiny", 2, primitives, normal=edges, reduce=edges)
    resolve(space)
    return space


@cache
def small_space(family):
    """A small space of a family."""
    if family == "chain":
        return CHAIN
    space = space_of(SMALL) if family == "cell" else load_space(family)
    resolve(space)
    return space


def loader(compute, seed, transform=None):
    """A loader of images without numbers."""
    num = BATCH * NUM_STEPS
    return TensorLoader(
        torch.zeros(num, 3, SIZE, SIZE, dtype=torch.uint8),
        torch.zeros(num, dtype=torch.int64),
        BATCH,
        transform=transform or TrainTransform(INFO),
        shuffle=True,
        seed=seed,
        device=compute.device,
        memory_format=compute.memory_format,
    )


def searcher_on_gpu(name, space, run, *, dtype=None, micro_batch=None, terms=(), **settings):
    """Build a search as the program does; call it inside `fake_gpu`."""
    method = method_of(name)
    if space.family == "chain":
        settings |= SETTINGS.get(name, {})
    config = SearchConfig(
        method=METHODS_AT_TEST_SIZE.get(name, name),
        epochs=2,
        batch_size=BATCH,
        **SIZES[space.family],
        **settings,
    )
    method.check(config, space)
    compute = Compute(GPU, dtype, torch.channels_last, micro_batch=micro_batch)
    val_loader = loader(compute, 2)
    data = SearchData(
        train_loader=loader(compute, 1),
        val_loader=val_loader,
        measure_loader=val_loader.in_order,
        image_shape=(3, SIZE, SIZE),
        num_classes=3,
        num_images=NumImages(BATCH * NUM_STEPS, BATCH * NUM_STEPS),
    )
    net = compute.place(build_network(config, space, data, method))
    alphas = Alphas(space, extra=method.extra_alphas(space)).to(GPU)
    return Searcher(
        config=config,
        space=space,
        net=net,
        alphas=alphas,
        loss=cross_entropy,
        data=data,
        run=run,
        method=method,
        terms=terms,
        compute=compute,
    )


def waits_of_steps(gpu, loop, run_epoch):
    """Run the steps of an epoch; return the waits of each but the first, which places constants."""
    ends, step_done = [len(gpu.waits)], loop.step_done

    def counted():
        step_done()
        ends.append(len(gpu.waits))

    loop.step_done = counted
    run_epoch()
    return [gpu.waits[ends[i] : ends[i + 1]] for i in range(1, len(ends) - 1)]
