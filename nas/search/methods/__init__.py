"""The search methods that come with the project, one file each; importing them registers them."""

from nas.search.methods import darts, gdas, pc_darts

__all__ = ["darts", "gdas", "pc_darts"]
