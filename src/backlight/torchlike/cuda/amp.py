"""`torch.cuda.amp`: the names of `torch.amp`."""

from backlight.core import missing
from backlight.torchlike.amp import GradScaler, autocast

__all__ = ["GradScaler", "autocast"]

__getattr__ = missing.names_of("torch.cuda.amp", __all__, missing.CUDA)
