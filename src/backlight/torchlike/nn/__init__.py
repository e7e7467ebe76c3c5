"""`torch.nn` as far as the lectures' tensor code goes: its functions. Layers that own parameters: `backlight.nn`."""

from backlight.torchlike._missing import names_of
from backlight.torchlike.nn import functional

__all__ = ["functional"]

__getattr__ = names_of(__name__, __all__, " Layers are in backlight.nn.")
