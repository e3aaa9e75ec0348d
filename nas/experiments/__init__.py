"""Experiments: many runs described in one file, run here or on a cluster, and tabulated."""
