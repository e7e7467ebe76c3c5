"""`Module.to`: which dtype is meant, and the conversion of a module's tensors."""

from typing import Any

import numpy as np

from backlight.autograd import Tensor
from backlight.autograd.tensor_base import as_dtype
from backlight.core import ConfigError
from backlight.core.arguments import shown

_DEVICES = ("cpu", "cuda", "mps", "xpu", "meta", "xla", "hpu")


def convert(module: Any, target: tuple[Any, ...], settings: dict[str, Any]) -> None:
    """Convert a module's tensors of floats. Args: and Raises: see `Module.to`."""
    unknown = settings.keys() - {"dtype", "device", "non_blocking", "memory_format", "copy"}
    if unknown:
        raise ConfigError(f"to() takes a device and a dtype; got {', '.join(sorted(unknown))}.")
    kind = _dtype_of([*target, settings.get("device"), settings.get("dtype")])
    if kind is None:
        return
    if kind.kind != "f":
        raise ConfigError(f"a module needs a floating-point dtype; got {kind}. Use torch.float32 or torch.float64.")
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.array.dtype.kind == "f" and tensor.array.dtype != kind:
            tensor.array = tensor.array.astype(kind)
            tensor._grad_home = None  # an optimiser finds it again at its next step
            tensor._grad = None if tensor._grad is None else tensor._grad.astype(kind)


def _dtype_of(targets: list[Any]) -> np.dtype[Any] | None:
    """Return the dtype among devices, dtypes and tensors, or None.

    Raises:
        ConfigError: a device other than the CPU.
    """
    kind = None
    for target in targets:
        device = str(getattr(target, "type", target) if not isinstance(target, (np.dtype, type)) else "")
        if target is None or isinstance(target, bool) or device.partition(":")[0] == "cpu":
            continue
        if device.partition(":")[0] in _DEVICES or isinstance(target, int):
            raise ConfigError(
                f"a module can only be on the CPU; got {shown(target)}. Use device='cpu' or leave it out."
            )
        kind = target.array.dtype if isinstance(target, Tensor) else as_dtype(target)
    return kind
