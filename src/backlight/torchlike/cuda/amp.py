"""`torch.cuda.amp`: the names of `torch.amp`."""

from backlight.core import missing
from backlight.torchlike.amp import GradScaler, autocast

__all__ = ["GradScaler", "autocast"]

__path__: list[str] = []  # as of a package, so that an import of a name that is not there is explained
__getattr__ = missing.names_of("torch.cuda.amp", missing.CUDA)
