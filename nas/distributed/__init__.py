"""Several processes as one run: how they are started, what they share, what they reduce.

Nothing is imported here: `launch` works without torch.
"""
