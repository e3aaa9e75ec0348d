"""The records of a search so far, and what the stopping rules make of them."""

import json
from collections.abc import Sequence
from typing import Any

from nas.errors import TrainingError
from nas.search.stops import Stop, StoppingRule


class History:
    """The lines of metrics.jsonl; the stopping rules read nothing else.

    They so reach the same decision on every rank, and after a resume.
    """

    def __init__(self, rules: Sequence[StoppingRule] = ()):
        """Start without records.

        Args:
            rules: Asked in order; the first that answers ends the search.
        """
        self.rules = tuple(rules)
        self.records: list[dict[str, Any]] = []

    def add(self, line: bytes) -> None:
        """Add a line of metrics.jsonl."""
        self.records.append(json.loads(line))

    def restore(self, lines: bytes, num_epochs: int) -> None:
        """Go back to the first epochs of metrics.jsonl."""
        self.records = [json.loads(line) for line in lines.splitlines()[:num_epochs]]

    def record_of(self, epoch: int) -> dict[str, Any]:
        """Return the record of an epoch, such as the one that a stopping rule keeps.

        Raises:
            TrainingError: It is not an epoch of this search.
        """
        for record in self.records:
            if record["epoch"] == epoch:
                return record
        raise TrainingError(
            f"stop: the rule keeps the cells of epoch {epoch}, which is not one of the "
            f"{len(self.records)} epochs of this search"
        )

    def kept(self) -> dict[str, Any]:
        """Return the record of the epoch whose cells are kept; empty before the first epoch."""
        stop = self.stop()
        if stop is not None:
            return self.record_of(stop.epoch)
        return self.records[-1] if self.records else {}

    def decision(self) -> dict[str, dict[str, float]]:
        """Return how far the cells that are kept are from chance, see `decision_numbers`."""
        return self.kept().get("decision", {})

    def stop(self) -> Stop | None:
        """Return the decision of the first stopping rule that ends the search, or None."""
        decisions = (rule(self.records) for rule in self.rules)
        return next((decision for decision in decisions if decision is not None), None)
