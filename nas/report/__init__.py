"""Reports, comparisons and pictures of runs, made from files alone (no torch).

Nothing is imported here, so that `python -m nas.report` runs its module once.
"""
