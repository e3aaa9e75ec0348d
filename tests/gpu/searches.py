"""Searches on a GPU that does not exist, at a small size."""

import torch
from torch.nn.functional import cross_entropy

from nas.config import SearchConfig
from nas.data import DatasetInfo, TensorLoader, TrainTransform
from nas.runtime.compute import Compute
from nas.search import SearchData, Searcher
from nas.search.data import NumImages
from nas.search.network import build_network
from nas.supernet import Alphas
from tests.contract.test_methods import METHODS_AT_TEST_SIZE, method_of
from tests.gpu.fake import GPU

SIZE, BATCH, NUM_STEPS = 32, 4, 3
INFO = DatasetInfo("random", ("a", "b", "c"), SIZE, (0.5,) * 3, (0.25,) * 3)


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
    config = SearchConfig(
        method=METHODS_AT_TEST_SIZE.get(name, name),
        epochs=2,
        batch_size=BATCH,
        init_channels=4,
        num_cells=3,
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
