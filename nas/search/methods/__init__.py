"""The search methods that come with the project, one file each; importing them registers them."""

from nas.search.methods import beta_darts, darts, fair_darts, gdas, pc_darts, random

__all__ = ["beta_darts", "darts", "fair_darts", "gdas", "pc_darts", "random"]
