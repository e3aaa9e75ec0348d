"""The search methods that come with the project, one file each; importing them registers them."""

from nas.search.methods import (
    beta_darts,
    darts,
    darts_minus,
    drnas,
    fair_darts,
    gdas,
    oles,
    pc_darts,
    r_darts,
    random,
    sdarts_adv,
    sdarts_rs,
    snas,
    uniform,
)

__all__ = [
    "beta_darts",
    "darts",
    "darts_minus",
    "drnas",
    "fair_darts",
    "gdas",
    "oles",
    "pc_darts",
    "r_darts",
    "random",
    "sdarts_adv",
    "sdarts_rs",
    "snas",
    "uniform",
]
