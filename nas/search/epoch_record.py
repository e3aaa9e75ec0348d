"""The architecture part of the record of an epoch.

Shape legend: E edges, P primitives.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from nas.genotype import Genotype
from nas.models.cost import evaluation_cost
from nas.operators import get_operator
from nas.search.kind import Found, kind_of
from nas.space import Space
from nas.supernet import Alphas, ArchWeights
from nas.supernet.alphas import masked_rows


def epoch_record(
    *,
    alphas: Alphas,
    weights: ArchWeights,
    entropy: Mapping[str, float],
    found: Found,
    space: Space,
    image_shape: tuple[int, int, int],
    num_classes: int,
) -> dict[str, Any]:
    """Return the architecture part of a line of metrics.jsonl.

    Args:
        alphas: As they are.
        weights: What the method measures and decodes, by group.
        entropy: How undecided the operators are, by group.
        found: What it decodes.
        space: The search space.
        image_shape: (C, H, W) of the data set.
        num_classes: Number of classes of the data set.

    Returns:
        By group: raw alphas and weights (None for a pair the space does not have), weights of whole
        edges and extra alphas where the method has them, entropy in nats, and what the kind of the
        space adds: what is decoded, with its parameters and multiply-adds, and the numbers of
        `nas.search.collapse`.
    """
    kind = kind_of(space)
    record = {
        "alphas": alphas.logits(),
        "entropy": dict(entropy),
        **kind.numbers(found, image_shape, num_classes),
        "arch_weights": {
            group: masked_rows(weights[group].ops, alphas.mask(group)) for group in alphas.groups
        },
    }
    of_edges = {g: w.edge.tolist() for g, w in weights.items() if w.edge is not None}
    added = {
        "edge_weights": of_edges,
        "extra_alphas": alphas.extra(),
        "collapse": kind.collapse(weights, found),
    }
    return record | {key: value for key, value in added.items() if value}


def cell_numbers(
    genotype: Genotype,
    groups: Sequence[str],
    image_shape: tuple[int, int, int],
    num_classes: int,
) -> dict[str, Any]:
    """Return what a record says of cells.

    By group the number of skip connections; the cells; parameters and multiply-adds of their
    evaluation network at the size of the paper, without the auxiliary head.
    """
    num_parameters, madds = evaluation_cost(genotype, image_shape, num_classes)
    return {
        "num_skips": {group: count_skips(genotype, group) for group in groups},
        "genotype": genotype.cells(),
        "num_parameters": num_parameters,
        "madds": madds,
    }


def count_skips(genotype: Genotype, cell_type: str) -> int:
    """Count the entries of a cell whose operator is an identity at stride 1."""
    return sum(
        get_operator(name).is_identity for node in getattr(genotype, cell_type) for name, _ in node
    )


def describe_record(record: Mapping[str, Any], epochs: int) -> str:
    """Return the line that is shown after an epoch of `epochs`."""
    entropy = " ".join(f"{value:.3f}" for value in record["entropy"].values())
    skips = ""
    if "num_skips" in record:
        skips = f"  skips {' '.join(map(str, record['num_skips'].values()))}"
    return (
        f"epoch {record['epoch'] + 1}/{epochs}  "
        f"train {record['train_loss']:.4f} {record['train_accuracy']:.2f} %  "
        f"val {record['val_loss']:.4f} {record['val_accuracy']:.2f} %  "
        f"entropy {entropy}{skips}  {record['num_parameters'] / 1e6:.2f} M parameters"
    )
