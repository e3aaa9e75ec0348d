"""Figures of a report, drawn with matplotlib from the records of a run."""
