"""A simulated GPU: tensors in the CPU's memory that count as CUDA tensors, to find what a GPU would refuse.

torch's FakeTensorMode has fake CUDA tensors too, but without a GPU autograd's engine refuses their backward pass, and
they have no values. Here every operation really runs, on the CPU, so that whole trainings run and give numbers.
The simulation records for each storage (which a tensor shares with its views) whether it is "on the GPU", and

- raises ``DeviceMismatch`` if an operation's tensors are on both devices, by the rules of FakeTensorMode and, for
  indices, those of CUDA's kernels, which are stricter; and if a random generator's device is not that of its output;
- records in ``waits`` each operation at which the CPU would wait for the GPU: reading a number or a shape from it,
  copies to the CPU, and copies from the CPU that are not ``non_blocking``.

It does not show speed, rounding, memory, or errors inside CUDA's own kernels.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._C._functorch import get_unwrapped, is_functorch_wrapped_tensor
from torch._C._nn import _parse_to  # type: ignore[attr-defined]
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn.utils import clip_grad
from torch.optim import optimizer, swa_utils
from torch.overrides import TorchFunctionMode
from torch.utils import _foreach_utils as foreach_utils
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

GPU, CPU = torch.device("cuda", 0), torch.device("cpu")
aten = torch.ops.aten
READS = {  # operations whose results, or the shapes of these, are needed on the CPU
    aten._local_scalar_dense.default,
    aten.nonzero.default,
    aten.masked_select.default,
    aten._unique2.default,
    aten.unique_dim.default,
    aten.equal.default,
    aten.repeat_interleave.Tensor,
}
INDEXED = {  # CUDA accepts indices on the CPU too, but copies them in each call
    aten.index.Tensor,
    aten.index_put.default,
    aten.index_put_.default,
    aten._index_put_impl_.default,
    aten._unsafe_index.Tensor,
}
GETTERS = {torch.Tensor.device.__get__, torch.Tensor.is_cuda.__get__, torch.Tensor.is_cpu.__get__}  # type: ignore[attr-defined]


_current: list[SimulatedGPU] = []


class DeviceMismatch(RuntimeError):
    """What torch would raise on a GPU: tensors on two devices."""


class SimulatedGPU:
    """Records which storages are on the GPU, and where the CPU would have waited for it."""

    def __init__(self) -> None:
        self._there: dict[int, StorageWeakRef] = {}
        self.waits: list[str] = []

    def has(self, x: Tensor) -> bool:
        kept = self._there.get(_storage(x)._cdata)
        return kept is not None and not kept.expired()

    def put(self, x: Tensor, there: bool = True) -> None:
        """Record the device of a tensor's storage; a weak reference keeps its address from being reused."""
        storage = _storage(x)
        if there:
            self._there[storage._cdata] = StorageWeakRef(storage)
        else:
            self._there.pop(storage._cdata, None)


def _storage(x: Tensor) -> torch.UntypedStorage:
    while is_functorch_wrapped_tensor(x):  # within vmap
        x = get_unwrapped(x)
    return x.untyped_storage()


@contextlib.contextmanager
def simulated_gpu(gpu: SimulatedGPU | None = None) -> Iterator[SimulatedGPU]:
    """A context in which ``torch.device("cuda")`` exists and checks operations; there is one at a time.

    Args:
        gpu: an earlier one, so that its tensors are recognised.
    """
    if _current:
        yield _current[0]
        return
    gpu = SimulatedGPU() if gpu is None else gpu
    with pytest.MonkeyPatch.context() as patch:
        plain_autocast, plain_generator = torch.autocast, torch.Generator
        plain_grouped = foreach_utils._group_tensors_by_device_and_dtype

        class Generator(plain_generator):  # type: ignore[misc, valid-type]
            def __new__(cls, device: Any = "cpu") -> Any:
                made: Any = super().__new__(cls)
                made.there = torch.device(device).type == "cuda"
                return made

        def autocast(device_type: str, *args: Any, **kwargs: Any) -> torch.autocast:
            return plain_autocast("cpu" if device_type == "cuda" else device_type, *args, **kwargs)

        def grouped(lists: Any, with_indices: bool = False) -> Any:
            """Group tensors by their device in Python: a foreach operation moves numbers to the device of its group."""
            return {
                (GPU if any(x is not None and gpu.has(x) for x in group[0][0]) else device, dtype): group
                for (device, dtype), group in plain_grouped(lists, with_indices).items()
            }

        for module in (foreach_utils, clip_grad, optimizer, swa_utils):
            if hasattr(module, "_group_tensors_by_device_and_dtype"):
                patch.setattr(module, "_group_tensors_by_device_and_dtype", grouped)
        patch.setattr(torch, "Generator", Generator)
        patch.setattr(torch, "autocast", autocast)
        patch.setattr(torch.cuda, "get_rng_state", lambda device: torch.get_rng_state())
        patch.setattr(torch.cuda, "set_rng_state", lambda state, device: None)  # the CPU's own is restored
        with _Dispatch(gpu), _Functions(gpu):
            _current.append(gpu)
            try:
                yield gpu
            finally:
                _current.clear()


class _Functions(TorchFunctionMode):
    """Answers for devices in Python: ``device=`` arguments, copies between devices, ``x.device``."""

    def __init__(self, gpu: SimulatedGPU) -> None:
        super().__init__()
        self.gpu = gpu

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs, gpu = dict(kwargs or {}), self.gpu
        if func in GETTERS:
            there = {"device": GPU, "is_cuda": True, "is_cpu": False}[func.__self__.__name__]
            return there if gpu.has(args[0]) else func(*args)
        if func in (torch.Tensor.cpu, torch.Tensor.cuda, torch.Tensor.to):
            return self._move(func, args, kwargs)
        if func in (torch.Tensor.numpy, torch.Tensor.__array__) and gpu.has(args[0]):
            raise TypeError("can't convert cuda:0 device type tensor to numpy; use Tensor.cpu() first")
        if func is torch.Tensor.pin_memory:
            return args[0]
        asked = None if kwargs.get("device") is None else torch.device(kwargs["device"])
        if kwargs.get("generator") is not None:
            self._check_generator(func, args, asked, kwargs["generator"])
        if asked is None:
            return func(*args, **kwargs)
        if asked.type == "cuda" and func in (torch.tensor, torch.as_tensor, torch.asarray):
            gpu.waits.append(f"{func.__name__} from the CPU")
        out = func(*args, **kwargs | {"device": CPU if asked.type == "cuda" else asked})
        if asked.type != "meta":
            for made in tree_leaves(out):
                if isinstance(made, Tensor):
                    gpu.put(made, asked.type == "cuda")
        return out

    def _check_generator(self, func: Any, args: Any, asked: torch.device | None, generator: Any) -> None:
        filled = bool(args) and isinstance(args[0], Tensor) and self.gpu.has(args[0])
        there = filled if asked is None else asked.type == "cuda"
        if getattr(generator, "there", False) != there:
            raise DeviceMismatch(f"{func.__name__} on {'cuda' if there else 'cpu'}: a generator of another device")

    def _move(self, func: Any, args: Any, kwargs: Any) -> Tensor:
        x, gpu = args[0], self.gpu
        dtype = memory_format = None
        copy, non_blocking = kwargs.pop("copy", False), kwargs.get("non_blocking", False)
        if func is torch.Tensor.to:
            if len(args) > 1 and isinstance(args[1], Tensor):
                args = (x, GPU if gpu.has(args[1]) else CPU, args[1].dtype, *args[2:])
            device, dtype, non_blocking, memory_format = _parse_to(*args[1:], **kwargs)
        else:
            device = CPU if func is torch.Tensor.cpu else GPU
        was = GPU if gpu.has(x) else torch.Tensor.device.__get__(x)  # type: ignore[attr-defined]
        to = was if device is None else device
        if "meta" in (was.type, to.type):
            return func(*args, **kwargs)
        moves = to.type != was.type
        if moves and (to.type == "cpu" or not non_blocking):
            gpu.waits.append(f"a copy of {list(x.shape)} from {was.type} to {to.type}")
        made = x.to(
            dtype=dtype or x.dtype,
            copy=copy or moves,
            memory_format=torch.preserve_format if memory_format is None else memory_format,
        )
        if moves:
            gpu.put(made, to.type == "cuda")
        return made


class _Dispatch(TorchDispatchMode):
    """Checks all operations, including those of the backward pass."""

    def __init__(self, gpu: SimulatedGPU) -> None:
        super().__init__()
        self.gpu = gpu

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs, gpu = kwargs or {}, self.gpu
        given = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        there = [gpu.has(x) for x in given]
        if func in INDEXED:
            self._check_indices(func, args)
        elif func is aten.copy_.default:
            if there[0] != there[1] and not (given[1].ndim == 0 and not there[1]):
                gpu.waits += [] if there[0] and args[2:3] == (True,) else [f"{func} between devices"]
        elif any(there) and not all(h or x.ndim == 0 for x, h in zip(given, there, strict=True)):
            lie = [f"{'cuda' if h else 'cpu'} {list(x.shape)}" for x, h in zip(given, there, strict=True)]
            first = there.index(not there[0])
            shown = ", ".join(lie if len(lie) < 8 else [lie[0], "...", lie[first], "..."])
            raise DeviceMismatch(f"{func}: expected all tensors on one device, got {shown}")
        if func in READS and any(there):
            gpu.waits.append(str(func))
        out = func(*args, **kwargs)
        lies = there[0] if func in INDEXED or func is aten.copy_.default else any(there)
        if lies:
            for made in tree_leaves(out):
                if isinstance(made, Tensor):
                    gpu.put(made)
        return out

    def _check_indices(self, func: Any, args: Any) -> None:
        """Indices may be on the CPU or on the indexed tensor's device; CPU indices are copied, masks are counted."""
        there = self.gpu.has(args[0])
        for index in args[1]:
            if index is None:
                continue
            if self.gpu.has(index) and not there:
                raise DeviceMismatch(f"{func}: a tensor on the CPU is indexed by one on the GPU")
            if there and (not self.gpu.has(index) or index.dtype in (torch.bool, torch.uint8)):
                self.gpu.waits.append(f"{func} by {'a mask' if index.dtype == torch.bool else 'indices on the CPU'}")
        if len(args) > 2 and self.gpu.has(args[2]) != there and args[2].ndim:
            raise DeviceMismatch(f"{func}: values on another device than what they are written to")
