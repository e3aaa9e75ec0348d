"""Where the time of a step goes on the CPU, by kind of operation, as torch's profiler sees it."""

from torch.autograd.profiler_util import FunctionEventAvg
from torch.profiler import ProfilerActivity, profile

from benchmarks.steps import Step

PRODUCTS = "convolutions and matrix products"
"""What does the multiply-adds. In ours that is also what the backward pass computes again."""
_KINDS = {
    PRODUCTS: ("conv", "::mm", "addmm", "bmm", "::matmul", "linear"),
    "normalization": ("batch_norm", "::var", "::std", "::mean"),
    "pools": ("pool",),
}
"""Parts of the names of operations."""
REST = "the rest: element by element, sums, copies"
KINDS = (*_KINDS, REST)


def time_by_kind(step: Step) -> dict[str, float]:
    """Return the seconds of each kind in one step, its own time without what it calls."""
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        step()
    times_s = dict.fromkeys(KINDS, 0.0)
    for event in profiler.key_averages():
        times_s[_kind_of(event)] += event.self_cpu_time_total / 1e6
    return times_s


def _kind_of(event: FunctionEventAvg) -> str:
    if not event.key.startswith("aten::"):  # ours in Python, such as a backward pass
        return REST
    return next(
        (kind for kind, parts in _KINDS.items() if any(p in event.key for p in parts)), REST
    )
