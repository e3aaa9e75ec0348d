"""Everything around the mathematics of a run: the loop, checkpoints, files, devices, costs."""
