"""What the programs do with several processes: check the settings, prepare the network."""

import torch
from torch import nn

from nas.config import AugmentConfig, SearchConfig
from nas.distributed.ranks import Ranks
from nas.errors import ConfigError


def check_ranks(config: SearchConfig | AugmentConfig, ranks: Ranks, device: torch.device) -> None:
    """Check that the settings fit the processes, and are the same in all of them.

    Raises:
        ConfigError: The batch cannot be shared out, or --sync_batchnorm has nothing to do.
        DistributedError: The processes were started with different settings.
    """
    if config.batch_size % ranks.size or config.batch_size // ranks.size < 2:
        raise ConfigError(
            f"--batch_size: found {config.batch_size}, which cannot be shared out evenly among "
            f"{ranks.size} processes; use a multiple of {ranks.size}, at least {2 * ranks.size}"
        )
    config.check_compute(config.batch_size // ranks.size)
    if config.sync_batchnorm and device.type != "cuda":
        raise ConfigError("--sync_batchnorm: torch has it on GPUs only, found --device cpu")
    if config.sync_batchnorm and ranks.size == 1:
        raise ConfigError("--sync_batchnorm has an effect only with several processes (torchrun)")
    settings = torch.frombuffer(bytearray(repr(config).encode()), dtype=torch.uint8)
    ranks.check_equal([settings], "the settings")


def prepare(net: nn.Module, config: SearchConfig | AugmentConfig, ranks: Ranks) -> nn.Module:
    """Give a network the BatchNorms that the settings ask for, and a rank its own random numbers.

    To be called when the network is built: until then all ranks draw the same numbers, afterwards
    such as those of drop path differ from rank to rank.
    """
    if ranks.rank:
        torch.manual_seed(torch.initial_seed() + 1_000_003 * ranks.rank)
    return nn.SyncBatchNorm.convert_sync_batchnorm(net) if config.sync_batchnorm else net


def describe(ranks: Ranks, config: SearchConfig | AugmentConfig) -> str:
    """Say how a batch is shared out and what the learning rate becomes, for the first line."""
    words = []
    if ranks.size > 1:
        norm = "over all" if config.sync_batchnorm else "in each"
        words.append(
            f"{ranks.size} processes with {config.batch_size // ranks.size} images of a batch "
            f"each, BatchNorm {norm}"
        )
    if config.reference_batch_size is not None:
        words.append(f"learning rates times {config.learning_rate_scale:g}")
    return "".join(f"; {word}" for word in words)
