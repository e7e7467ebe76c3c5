"""`torch.nn`, as far as the tensor code of the lectures uses it: its functions. Layers are in `backlight.nn`."""

from backlight.core import missing
from backlight.torchlike.nn import functional

__all__ = ["functional"]

__getattr__ = missing.names_of("torch.nn", __all__, missing.NN)
