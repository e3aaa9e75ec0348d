#!/bin/sh
# Everything to measure on a GPU, in under nine minutes: run from the root of the project.
set -eu
python -m benchmarks.bench_cuda --minutes 8.5 "$@"
