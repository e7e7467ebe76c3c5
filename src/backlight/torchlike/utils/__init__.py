"""`torch.utils`: loading data in batches, and a writer for curves."""

from backlight.core import missing
from backlight.torchlike.utils import data, tensorboard

__all__ = ["data", "tensorboard"]

__getattr__ = missing.names_of("torch.utils", missing.UTILS)
