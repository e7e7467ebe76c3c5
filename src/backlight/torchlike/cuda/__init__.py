"""`torch.cuda` of a machine without a GPU: `"cuda" if torch.cuda.is_available() else "cpu"` selects the CPU."""

from typing import Any

from backlight.core import ConfigError, missing
from backlight.torchlike.cuda import amp

__all__ = [
    "amp", "current_device", "device_count", "empty_cache", "get_device_name", "is_available", "is_bf16_supported",
    "manual_seed", "manual_seed_all", "max_memory_allocated", "memory_allocated", "reset_peak_memory_stats",
    "synchronize",
]  # fmt: skip

__getattr__ = missing.names_of("torch.cuda", missing.CUDA)


def is_available() -> bool:
    """Return False, since all tensors are on the CPU."""
    return False


def is_bf16_supported(*_: Any, **__: Any) -> bool:
    """Return False, since there is no GPU."""
    return False


def device_count() -> int:
    """Return 0, the number of GPUs."""
    return 0


def manual_seed(seed: int) -> None:
    """Do nothing: there is no GPU whose generator could be seeded."""
    del seed


def manual_seed_all(seed: int) -> None:
    """Do nothing: there is no GPU whose generator could be seeded."""
    del seed


def synchronize(device: Any = None) -> None:
    """Do nothing: all results are there when a call returns."""
    del device


def empty_cache() -> None:
    """Do nothing: no memory of a GPU is held."""


def memory_allocated(device: Any = None) -> int:
    """Return 0, the bytes of GPU memory in use."""
    del device
    return 0


def max_memory_allocated(device: Any = None) -> int:
    """Return 0, the most bytes of GPU memory that were in use."""
    del device
    return 0


def reset_peak_memory_stats(device: Any = None) -> None:
    """Do nothing: no memory of a GPU is in use."""
    del device


def current_device() -> int:
    """Raise ConfigError, since there is no GPU."""
    raise ConfigError("there is no GPU: all tensors are on the CPU. Ask torch.cuda.is_available() first.")


def get_device_name(device: Any = None) -> str:
    """Raise ConfigError, since there is no GPU."""
    del device
    raise ConfigError("there is no GPU: all tensors are on the CPU. Ask torch.cuda.is_available() first.")
