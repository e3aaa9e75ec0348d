"""The judge of a search: tables in which the accuracy of every architecture is known (no torch)."""

from nas.oracle.chance import Chance, best_of
from nas.oracle.judge import Judged, Verdict, judge
from nas.oracle.table import Table, read_table

__all__ = ["Chance", "Judged", "Table", "Verdict", "best_of", "judge", "read_table"]
