"""One thread a process: the suite runs one worker a core, and small tensors want no more."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
