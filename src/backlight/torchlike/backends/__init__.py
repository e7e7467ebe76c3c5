"""`torch.backends`: settings of PyTorch's libraries for GPUs and CPUs. They can be set and change nothing."""

from types import SimpleNamespace
from typing import Any

from backlight.core import missing

__all__ = ["cpu", "cuda", "cudnn", "mkl", "mps", "openmp"]

__getattr__ = missing.names_of("torch.backends", missing.CUDA)


class Backend(SimpleNamespace):
    """A library that is not there: its settings can be read and set, and change nothing."""

    def is_available(self) -> bool:
        """Return False, since Backlight does not use this library."""
        return False

    def is_built(self) -> bool:
        """Return False, since Backlight does not use this library."""
        return False


def _nothing(*_: Any, **__: Any) -> None:
    """Do nothing: the setting belongs to a library that Backlight does not use."""


_SDP = ("enable_flash_sdp", "enable_math_sdp", "enable_mem_efficient_sdp", "enable_cudnn_sdp")

cuda = Backend(
    matmul=Backend(allow_tf32=False, allow_fp16_reduced_precision_reduction=True), **dict.fromkeys(_SDP, _nothing)
)
cudnn = Backend(allow_tf32=True, benchmark=False, deterministic=False, enabled=True)
mps = Backend()
mkl = Backend()
openmp = Backend()
cpu = Backend()
