"""Cells as pictures: diagrams, their graphviz engine, and animations over epochs."""
