"""A GPU that does not exist: what runs on it, and each time that the host would wait for it.

Tensors on torch's `meta` device stand for those on a GPU: they have shapes and types and no
numbers, and autograd works on them. What is on the CPU is real. `FakeGpu` is an error where an
operation mixes the two, which `meta` alone would often let pass, and notes what makes the host
wait: a number that is read, a copy to the host, and a copy from host memory that is not pinned.
What has a size that depends on numbers, such as indexing with a mask, waits too; `meta` refuses it.

Numbers that are read are 1, or True, so that a step takes its ordinary way; with `FakeGpu.number`,
floats are another one, such as NaN.

`meta` has no autocast either: `Autocast` stands for it, with the types that a GPU computes in.
"""

import traceback
from contextlib import ExitStack, contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import ClassVar, NamedTuple
from unittest import mock

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten
GPU = torch.device("meta")
PACKAGE = Path(__file__).parents[2] / "nas"
COPYING = str(PACKAGE / "runtime" / "device.py")
"""What others copy with; a wait in it is theirs."""
COPIES = (aten._to_copy.default, aten.copy_.default)
NEED_ONE_DEVICE = ("cat", "stack", "index", "index_put_", "index_select", "gather", "scatter_")
"""Operations of which a GPU takes not even a scalar of the host."""


class Wait(NamedTuple):
    """The host waits for the GPU."""

    what: str
    where: str
    """The function of ours that does it, as module.function."""


class FakeGpu(TorchDispatchMode):
    """Notes in `waits` what waits for the GPU while it is active; see `fake_gpu`."""

    outputs: ClassVar[dict] = {}
    """The form of what operations return, by their arguments: `meta` itself is slow."""

    def __init__(self):
        super().__init__()
        self.waits = []
        self.number = 1.0
        """What floats read as."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func in COPIES:
            return self._copy(func, args, kwargs)
        values = list(flat((*args, *kwargs.values())))
        tensors = [value for value in values if isinstance(value, torch.Tensor)]
        if not any(map(is_on_gpu, tensors)):
            return func(*args, **kwargs)
        name = func.overloadpacket.__name__
        scalars = () if name in NEED_ONE_DEVICE else (0,)
        if any(x.ndim not in scalars for x in tensors if not is_on_gpu(x)):
            raise RuntimeError(f"{name}: tensors on the GPU and on the host")
        if name in ("_local_scalar_dense", "equal"):
            self.note("read")
            return self._read(args[0].dtype)
        if name == "_dirichlet_grad":  # which `meta` does not have
            return torch.empty_like(args[0])
        if name.startswith("_amp_") or changes_numbers_only(func):
            return args[0] if func._schema.returns else None
        return self._new(func, args, kwargs, values)

    def _read(self, dtype):
        return self.number if dtype.is_floating_point else dtype is torch.bool or 1

    def _new(self, func, args, kwargs, values):
        """Return what an operation returns, from memory if it makes new tensors."""
        key = (func, *(form(x) if isinstance(x, torch.Tensor) else x for x in values))
        if not makes_new_tensors(func):
            return func(*args, **kwargs)
        if key not in self.outputs:
            output = func(*args, **kwargs)
            self.outputs[key] = [None if x is None else form(x) for x in flat([output])]
            return output
        made = tuple(
            kind and torch.empty_strided(kind[1], kind[2], dtype=kind[3], device=kind[0])
            for kind in self.outputs[key]
        )
        return made[0] if len(func._schema.returns) == 1 else made

    def _copy(self, func, args, kwargs):
        target = args[0].device if func is aten.copy_.default else kwargs.get("device")
        source = args[1] if func is aten.copy_.default else args[0]
        target = torch.device(target or source.device)
        if source.device.type == target.type:
            return func(*args, **kwargs)
        if is_on_gpu(source):
            self.note("copy to the host")
            if func is aten.copy_.default:
                return args[0].fill_(self._read(source.dtype))
            dtype = kwargs.get("dtype") or source.dtype
            return torch.full(source.shape, self._read(source.dtype), dtype=dtype)
        is_async = kwargs.get("non_blocking") or args[2:] == (True,)
        if not (is_async and hasattr(source, "is_pinned_here")):
            self.note("copy from the host")
        return func(*args, **kwargs)

    def note(self, what):
        """Note a wait of the function of ours that is running."""
        frames = [
            f
            for f in traceback.extract_stack()
            if f.filename.startswith(str(PACKAGE)) and f.filename != COPYING
        ]
        where = f"{Path(frames[-1].filename).stem}.{frames[-1].name}" if frames else "a test"
        self.waits.append(Wait(what, where))

    @contextmanager
    def counted(self):
        """Yield a list that has the waits of the block when it ends."""
        found, before = [], len(self.waits)
        yield found
        found += self.waits[before:]


class Autocast(TorchFunctionMode):
    """Operations of networks in half precision and losses in fp32, as autocast on a GPU does."""

    LOWER = ("conv2d", "linear", "matmul")
    FP32 = ("cross_entropy", "log_softmax", "softmax", "smooth_l1_loss")

    def __init__(self, dtype):
        super().__init__()
        self.dtype = dtype

    def __torch_function__(self, func, types, args=(), kwargs=None):
        name = func.__name__
        dtype = self.dtype if name in self.LOWER else torch.float32 if name in self.FP32 else None
        if dtype is not None:
            args = [
                x.to(dtype) if isinstance(x, torch.Tensor) and x.is_floating_point() else x
                for x in args
            ]
        return func(*args, **(kwargs or {}))


def autocast(compute):
    """Stands for `Compute.autocast`."""
    dtype = compute.autocast_dtype
    return nullcontext() if dtype is None else Autocast(dtype)


def flat(values):
    """The values, those of lists one by one."""
    for value in values:
        if isinstance(value, list | tuple):
            yield from flat(value)
        else:
            yield value


def form(tensor):
    return tensor.device, tensor.shape, tensor.stride(), tensor.dtype


def is_on_gpu(tensor):
    return tensor.device.type == GPU.type


@cache
def makes_new_tensors(func):
    """Whether an operation returns new tensors, and changes none."""
    schema = func._schema
    is_new = [str(value.type) == "Tensor" and not value.alias_info for value in schema.returns]
    return not schema.is_mutable and bool(is_new) and all(is_new)


@cache
def changes_numbers_only(func):
    """Whether an operation does nothing but change its first argument, such as add_."""
    is_in_place = func._schema.is_mutable and func.overloadpacket.__name__.endswith("_")
    return is_in_place and torch.Tag.inplace_view not in func.tags and func is not aten.resize_


@contextmanager
def fake_gpu():
    """Yield what notes the waits of the block."""
    gpu = FakeGpu()
    make_tensor, original_tolist = torch.tensor, torch.Tensor.tolist

    def tensor(data, *, device=None, **settings):
        if torch.device(device or "cpu").type == GPU.type:
            gpu.note("copy from the host")
        return make_tensor(data, device=device, **settings)

    def tolist(tensor):  # torch's own looks for numbers without asking anyone
        return original_tolist(tensor.cpu() if is_on_gpu(tensor) else tensor)

    def pin_memory(tensor):
        pinned = tensor.clone()
        pinned.is_pinned_here = True
        return pinned

    with ExitStack() as stack:
        for name, value in (
            ("torch.tensor", tensor),
            ("torch.Tensor.tolist", tolist),
            ("torch.Tensor.pin_memory", pin_memory),
            ("nas.runtime.device.GPUS", ("cuda", GPU.type)),
            ("nas.runtime.compute.Compute.autocast", autocast),
        ):
            stack.enter_context(mock.patch(name, value))
        yield stack.enter_context(gpu)
