"""DARTS itself: `Method` as it is, under its name."""

from nas.search.method import Method
from nas.search.registry import register_method

register_method("darts", source="DARTS (arXiv:1806.09055), Sec. 2")(Method)
