"""Chains as files: a mapping of plain values, read strictly and written back (no torch).

The same mapping is in a space file, in a run's space.yaml and in network.json.
"""

from collections.abc import Mapping
from itertools import product
from math import prod
from typing import Any

from nas.errors import SearchSpaceError, shown
from nas.space.blocks import BLOCK_KINDS, Candidate
from nas.space.chain import ChainSpace, FixedBlock, Stage, Stem, check_width_mult
from nas.space.parts import SpacePart, check_keys, check_list, kind_of

KEYS = (
    "name",
    "description",
    "family",
    "image_size",
    "width_mult",
    "stem",
    "first",
    "stages",
    "last",
    "candidates",
    "depths",
)
STAGE_KEYS = ("width", "stride", "depths", "candidates")
CANDIDATE_KEYS = ("block", "ratio", "kernel", "se")
FIXED_KEYS = (*CANDIDATE_KEYS, "width", "stride", "narrows")
MAX_WIDTH, MAX_RATIO, MAX_DEPTH, MAX_STAGES, MAX_CANDIDATES = 1 << 13, 64, 16, 16, 64
KERNELS = (3, 5, 7, 9, 11)


def read_chain(parts: list[SpacePart]) -> ChainSpace:
    """Read the one file of a chain; see `nas.space.load_space`.

    Raises:
        SearchSpaceError: It is malformed, or is to be joined with another space.
    """
    if len(parts) > 1:
        chain = next(part.name for part in parts if part.family)
        raise SearchSpaceError(
            f"space: {chain} is a chain, which cannot be joined with others by +; list all "
            "candidates in one file"
        )
    (part,) = parts
    return parse_chain(part.document, part.where, part.name)


def parse_chain(document: Mapping[str, Any], where: str, name: str) -> ChainSpace:
    """Read a chain from a mapping of plain values.

    Args:
        document: With the keys of a space file; `search_spaces/README.md` describes them.
        where: Its place, for messages.
        name: The name of a space that does not say its own.

    Raises:
        SearchSpaceError: A key or a value is unknown, out of range or missing, or the strides
            leave no pixel.
    """
    check_keys(document, KEYS, where)
    name, family = document.get("name", name), document.get("family", "chain")
    if not isinstance(name, str):
        raise SearchSpaceError(f"{where}: name: expected text, found {kind_of(name)}")
    if family != "chain":
        raise SearchSpaceError(f"{where}: family: expected chain, found {shown(family)}")
    stem = _mapping(document, "stem", where)
    check_keys(stem, ("width", "stride"), f"{where}: stem")
    space = ChainSpace(
        name=name,
        stem=Stem(
            _whole(stem, "width", f"{where}: stem", MAX_WIDTH),
            _whole(stem, "stride", f"{where}: stem", 2, default=2),
        ),
        first=_fixed_blocks(document, "first", where),
        stages=_stages(document, where),
        last=_fixed_blocks(document, "last", where),
        image_size=_whole(document, "image_size", where, 1024, default=224),
        width_mult=check_width_mult(document.get("width_mult", 1.0), f"{where}: width_mult"),
    )
    if space.reduction > space.image_size:
        raise SearchSpaceError(
            f"{where}: the strides divide an image by {space.reduction}, which leaves no pixel of "
            f"{space.image_size} x {space.image_size}; set strides to 1, or raise its image size"
        )
    return space


def chain_document(space: ChainSpace) -> dict[str, Any]:
    """Return the mapping that `parse_chain` reads to an equal record."""
    return {
        "name": space.name,
        "family": space.family,
        "image_size": space.image_size,
        "width_mult": space.width_mult,
        "stem": {"width": space.stem.width, "stride": space.stem.stride},
        "first": [_fixed_document(block) for block in space.first],
        "stages": [
            {
                "width": stage.width,
                "stride": stage.stride,
                "depths": list(stage.depths),
                "candidates": [_candidate_document(one) for one in stage.candidates],
            }
            for stage in space.stages
        ],
        "last": [_fixed_document(block) for block in space.last],
    }


def _fixed_document(fixed: FixedBlock) -> dict[str, Any]:
    sizes = {"width": fixed.width, "stride": fixed.stride, "narrows": fixed.narrows}
    return _candidate_document(fixed.candidate) | sizes


def _candidate_document(candidate: Candidate) -> dict[str, Any]:
    if not BLOCK_KINDS[candidate.block].symbol:
        return {"block": candidate.block}
    document: dict[str, Any] = {
        "block": candidate.block,
        "ratio": candidate.ratio,
        "kernel": candidate.kernel,
    }
    return document | ({"se": True} if candidate.se else {})


def _stages(document: Mapping[str, Any], where: str) -> tuple[Stage, ...]:
    listed = check_list(document.get("stages", []), f"{where}: stages")
    if not 1 <= len(listed) <= MAX_STAGES:
        raise SearchSpaceError(
            f"{where}: stages: expected a list of 1 to {MAX_STAGES} stages, found {len(listed)}"
        )
    common = {key: document[key] for key in ("depths", "candidates") if key in document}
    stages = []
    for index, entry in enumerate(listed):
        at = f"{where}: stages[{index}]"
        if not isinstance(entry, dict):
            raise SearchSpaceError(
                f"{at}: expected a mapping with {', '.join(STAGE_KEYS)}, found {kind_of(entry)}"
            )
        check_keys(entry, STAGE_KEYS, at)
        own = {**common, **entry}
        for key in ("depths", "candidates"):
            if key not in own:
                raise SearchSpaceError(
                    f"{at}: has no {key}; list them there, or under `{key}:` for all stages"
                )
        # A fault in what all stages share is reported where it is written.
        places = {key: f"{at if key in entry else where}: {key}" for key in common | own}
        stages.append(
            Stage(
                _whole(entry, "width", at, MAX_WIDTH),
                _whole(entry, "stride", at, 2, default=1),
                _depths(own["depths"], places["depths"]),
                _candidates(own["candidates"], places["candidates"]),
            )
        )
    return tuple(stages)


def _depths(value: Any, where: str) -> tuple[int, ...]:
    depths = check_list(value, where)
    for depth in depths:
        if type(depth) is not int or not 1 <= depth <= MAX_DEPTH:
            raise SearchSpaceError(
                f"{where}: expected numbers of layers from 1 to {MAX_DEPTH}, found {shown(depth)}"
            )
    if not depths or sorted(set(depths)) != depths:
        raise SearchSpaceError(
            f"{where}: expected increasing numbers such as [1, 2, 3, 4], found {shown(depths)}"
        )
    return tuple(depths)


def _candidates(value: Any, where: str) -> tuple[Candidate, ...]:
    candidates: list[Candidate] = []
    for index, entry in enumerate(check_list(value, where)):
        at = f"{where}[{index}]"
        if not isinstance(entry, dict):
            raise SearchSpaceError(
                f"{at}: expected a mapping such as {{block: sandglass, ratio: [3, 6], kernel: 3}}, "
                f"found {kind_of(entry)}"
            )
        check_keys(entry, CANDIDATE_KEYS, at)
        lists = {key: v if isinstance(v, list) else [v] for key, v in entry.items()}
        names = lists.get("block", [None])
        for key, listed in lists.items():
            if not listed:
                raise SearchSpaceError(f"{at}: {key}: expected at least one, found an empty list")
        if (number := len(candidates) + prod(map(len, lists.values()))) > MAX_CANDIDATES:
            raise SearchSpaceError(
                f"{at}: expected at most {MAX_CANDIDATES} candidates, found {number} with all "
                "combinations"
            )
        keys = [key for key in CANDIDATE_KEYS[1:] if key in lists]
        for block in names:
            for values in product(*(lists[key] for key in keys)):
                one = {"block": block, **dict(zip(keys, values, strict=True))}
                candidates.append(_candidate(one, at, searched=True))
    if not candidates:
        raise SearchSpaceError(f"{where}: expected 1 to {MAX_CANDIDATES} candidates, found none")
    _check_together(candidates, where)
    return tuple(candidates)


def _check_together(candidates: list[Candidate], where: str) -> None:
    seen = set()
    for candidate in candidates:
        if candidate in seen:
            raise SearchSpaceError(f"{where}: {candidate.name} is there twice; name it once")
        seen.add(candidate)
    wide = [one.block for one in candidates if BLOCK_KINDS[one.block].is_wide]
    narrow = [one.block for one in candidates if not BLOCK_KINDS[one.block].is_wide]
    if wide and narrow:
        raise SearchSpaceError(
            f"{where}: {wide[0]} and {narrow[0]} cannot be in one layer: {wide[0]} is wide between "
            "its layers, the other inside, so that one costs many times the other at the same "
            "widths; use stages or chains of either"
        )


def _fixed_blocks(document: Mapping[str, Any], key: str, where: str) -> tuple[FixedBlock, ...]:
    blocks = []
    for index, entry in enumerate(check_list(document.get(key, []), f"{where}: {key}")):
        at = f"{where}: {key}[{index}]"
        if not isinstance(entry, dict):
            raise SearchSpaceError(
                f"{at}: expected a mapping with {', '.join(FIXED_KEYS)}, found {kind_of(entry)}"
            )
        check_keys(entry, FIXED_KEYS, at)
        blocks.append(
            FixedBlock(
                _candidate(entry, at, searched=False),
                _whole(entry, "width", at, MAX_WIDTH),
                _whole(entry, "stride", at, 2, default=1),
                _switch(entry, "narrows", at, default=True),
            )
        )
    return tuple(blocks)


def _candidate(entry: Mapping[str, Any], where: str, *, searched: bool) -> Candidate:
    known = [name for name, kind in BLOCK_KINDS.items() if kind.can_be_searched or not searched]
    block = entry.get("block")
    if block not in known:
        raise SearchSpaceError(f"{where}: block: expected {', '.join(known)}, found {shown(block)}")
    if not BLOCK_KINDS[block].symbol:
        for key in CANDIDATE_KEYS[1:]:
            if key in entry:
                raise SearchSpaceError(f"{where}: {key}: a {block} has none; leave it out")
        return Candidate(block)
    kernel = entry.get("kernel", 3)
    if type(kernel) is not int or kernel not in KERNELS:
        raise SearchSpaceError(
            f"{where}: kernel: expected {', '.join(map(str, KERNELS))}, found {shown(kernel)}"
        )
    ratio = _whole(entry, "ratio", where, MAX_RATIO)
    return Candidate(block, ratio, kernel, _switch(entry, "se", where, default=False))


def _mapping(document: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    value = document.get(key)
    if not isinstance(value, dict):
        raise SearchSpaceError(
            f"{where}: {key}: expected a mapping such as {{width: 32, stride: 2}}, found "
            f"{kind_of(value)}"
        )
    return value


def _whole(
    entry: Mapping[str, Any], key: str, where: str, maximum: int, default: int | None = None
) -> int:
    value = entry.get(key, default)
    if type(value) is not int or not 1 <= value <= maximum:
        raise SearchSpaceError(
            f"{where}: {key}: expected a whole number from 1 to {maximum}, found {shown(value)}"
        )
    return value


def _switch(entry: Mapping[str, Any], key: str, where: str, *, default: bool) -> bool:
    value = entry.get(key, default)
    if not isinstance(value, bool):
        raise SearchSpaceError(f"{where}: {key}: expected true or false, found {shown(value)}")
    return value
