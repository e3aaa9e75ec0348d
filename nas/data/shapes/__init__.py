"""The embedded dataset: shapes that the program draws, no files needed."""

from nas.data.shapes.dataset import SHAPES, draw_shapes, load_shapes

__all__ = ["SHAPES", "draw_shapes", "load_shapes"]
