"""`nas evaluate`: measure a trained network on test images."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields

from nas.config import Arguments, AugmentConfig, EvaluateConfig, read_arguments
from nas.config.fields import setting
from nas.program import run_program


@dataclass(frozen=True, kw_only=True)
class EvaluateSettings(EvaluateConfig):
    """Measure a trained network on the test images of a dataset.

    Settings that are not given are those that the checkpoint was trained with. A checkpoint of
    other programs, such as the authors', needs --model.
    """

    evaluate: str = setting(is_path=True)
    """A checkpoint, or a run directory, whose newest checkpoint is measured."""


def main(argv: Sequence[str] | None = None, prog: str = "nas evaluate") -> int:
    """Run the command; returns its exit code."""
    words = sys.argv[1:] if argv is None else argv

    def body() -> int:
        description = EvaluateSettings.__doc__ or ""
        given = read_arguments(
            EvaluateSettings, prog, description, words, positional={"evaluate": "CHECKPOINT"}
        )
        given.make()  # a wrong setting is reported before torch is imported
        from nas.cli.run_evaluate import run_evaluate

        return run_evaluate(Arguments(AugmentConfig, given.layers))

    return run_program(prog, body, [field.name for field in fields(AugmentConfig)])
