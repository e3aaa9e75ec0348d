"""A network as a file: ONNX, or a program of torch.export; always compared with PyTorch."""

import contextlib
import io
import logging
import shutil
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx
import torch
from torch import Tensor, nn

from nas.deploy.metadata import KEY, Metadata
from nas.deploy.options import DEFAULT_OPSET, check_target
from nas.deploy.postprocess import append_postprocessing, num_different, unpadded
from nas.deploy.prepare import prepare
from nas.deploy.session import INPUT, OnnxNetwork, open_session
from nas.errors import ConfigError, DeployError
from nas.files import replacing

TOLERANCE = 1e-4
"""The largest difference of a logit that an export may make, in fp32."""
MOST_DIFFERENT = 0.01
"""The largest part of the detections that may differ from PyTorch's on the same raw outputs, for
overlaps that are equal to the limit but for rounding."""


@dataclass(frozen=True)
class Exported:
    """A file that was written, and how near it is to PyTorch."""

    path: Path
    max_difference: float
    """Of a logit or box offset, over the images of the check and batches of one and of all."""
    max_logit: float
    """The largest absolute one, which says what the difference is small against."""
    num_detections: int | None = None
    """On the images of the check, of a detector that suppresses duplicates."""
    num_different: int = 0
    """How many of them differ from PyTorch's, or are missing in one of the two."""


def export(
    net: nn.Module, metadata: Metadata, images: Tensor, out: Path, opset: int = DEFAULT_OPSET
) -> Exported:
    """Write a network, with a batch of any size, and check the file against PyTorch.

    The file takes its place only once the check has passed.

    Args:
        net: The network, with raw outputs if it is a detector's; it is not changed.
        metadata: Stored in the file. Where it says so, duplicates are suppressed in the file.
        images: Float (N, C, S, S) for the check, N of at least 2.
        out: Ends in .onnx or .pt2.
        opset: Of .onnx, from 18 to 23.

    Raises:
        ConfigError: A file of this name or opset cannot be written.
        DeployError: The network cannot be exported, or what the file returns differs.
    """
    check_target(out, opset)
    suppresses = metadata.is_detector and not metadata.is_raw
    if out.suffix == ".pt2" and suppresses:
        raise ConfigError(
            f"raw: {out.name} can only have raw outputs, because torch.export cannot write the "
            "suppression of duplicates; set `raw`, or write an .onnx file"
        )
    assert len(images) >= 2, "a batch of one would be exported as a constant"
    prepared = prepare(net)
    with checked_first(out) as temporary:
        with torch.no_grad(), quiet():
            write = _write_onnx if out.suffix == ".onnx" else _write_program
            write(prepared, metadata, images[:2], temporary, opset)
        difference, max_logit = _parity(net, _load(temporary), images)
        if not difference < TOLERANCE:  # NaN is not parity either
            raise DeployError(
                f"{out}: its {' or '.join(metadata.raw().outputs)} differ from PyTorch's by "
                f"{difference:.2e}, more than {TOLERANCE:.0e} (the largest is {max_logit:.3g}); it "
                "was not written"
            )
        if suppresses:
            return Exported(out, difference, max_logit, *_suppress(temporary, images, out))
    return Exported(out, difference, max_logit)


def _suppress(path: Path, images: Tensor, out: Path) -> tuple[int, int]:
    """Add the suppression of duplicates to a file that returns raw outputs, and check it.

    Returns:
        How many detections the file and PyTorch find in the same raw outputs, and how many of them
        differ.
    """
    logits, offsets = OnnxNetwork(open_session(path))(images)
    append_postprocessing(path)
    whole = OnnxNetwork(open_session(path))(images)
    different, total = num_different(unpadded(*whole), logits, offsets, TOLERANCE)
    if different > MOST_DIFFERENT * total:
        raise DeployError(
            f"{out}: {different} of {total} detections differ from PyTorch's; it was not written"
        )
    return total, different


@contextlib.contextmanager
def checked_first(out: Path) -> Iterator[Path]:
    """Write a file through libraries that want a path; it takes its place when the body is done.

    Yields:
        The path to write to, in a temporary folder; its name is that of the file.

    Raises:
        DeployError: The file cannot be written; an older one is untouched.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory() as folder:
            temporary = Path(folder) / out.name
            yield temporary
            with temporary.open("rb") as written, replacing(out) as stream:
                shutil.copyfileobj(written, stream)
    except OSError as cause:
        raise DeployError(f"{out}: cannot be written: {cause}; choose another `out`") from cause


def _write_onnx(net: nn.Module, metadata: Metadata, images: Tensor, path: Path, opset: int) -> None:
    batch = torch.export.Dim.DYNAMIC
    try:
        program = torch.onnx.export(
            net,
            (images,),
            dynamo=True,
            opset_version=opset,
            input_names=[INPUT],
            output_names=list(metadata.raw().outputs),
            dynamic_shapes=({0: batch},),
            external_data=False,
            verbose=False,
        )
    except torch.onnx.errors.OnnxExporterError as cause:
        raise DeployError(
            f"the network cannot be exported to ONNX: {_first_line(cause)}; write layers that "
            "torch.onnx can translate"
        ) from cause
    assert program is not None, "dynamo=True returns a program"
    model = program.model_proto
    written = next(entry.version for entry in model.opset_import if entry.domain == "")
    if written != opset:
        raise DeployError(f"opset: asked for {opset}, but torch.onnx wrote {written}; ask for that")
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {KEY: metadata.to_json()})
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def _write_program(
    net: nn.Module, metadata: Metadata, images: Tensor, path: Path, opset: int
) -> None:
    batch = torch.export.Dim.DYNAMIC
    try:
        program = torch.export.export(net, (images,), dynamic_shapes=({0: batch},))
    except Exception as cause:  # the code of a layer may do anything when it is traced
        raise DeployError(
            f"the network cannot be exported by torch.export: {_first_line(cause)}; write layers "
            "whose course does not depend on values or on the batch"
        ) from cause
    torch.export.save(program, path, extra_files={f"{KEY}.json": metadata.to_json()})


def _first_line(cause: Exception) -> str:
    lines = str(cause).strip().splitlines()
    return (lines[0] if lines else type(cause).__name__)[:300]


def _load(path: Path) -> nn.Module:
    if path.suffix == ".onnx":
        return OnnxNetwork(open_session(path))
    return torch.export.load(path).module()


@torch.no_grad()
def _parity(net: nn.Module, loaded: nn.Module, images: Tensor) -> tuple[float, float]:
    """Return the largest difference and the largest output, at a batch of one and of all."""
    was_training = net.training
    expected = _as_tuple(net.eval()(images))
    net.train(was_training)
    differences = [
        (found - wanted[: len(batch)]).abs().max()
        for batch in (images, images[:1])
        for found, wanted in zip(_as_tuple(loaded(batch)), expected, strict=True)
    ]
    largest = torch.stack([part.abs().max() for part in expected]).max()
    return torch.stack(differences).max().item(), largest.item()


def _as_tuple(outputs: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (outputs,) if isinstance(outputs, Tensor) else tuple(outputs)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hide messages for the developers of exporter and quantizer, and advice of no use here."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),  # a whole graph, where a trace fails
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
