"""`torch.nn` as far as the lectures' tensor code goes: its functions. Layers that own parameters: `backlight.nn`."""

from backlight.core import missing
from backlight.torchlike.nn import functional

__all__ = ["functional"]

__getattr__ = missing.names_of("torch.nn", __all__, missing.NN)
