"""Claims: searches, retrains and baselines as data, run by one command that ends in a table.

`python -m nas.claims experiments/cifar10_small`; the format is in experiments/README.md.
"""
