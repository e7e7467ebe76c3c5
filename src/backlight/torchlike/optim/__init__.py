"""`torch.optim`: optimisers with groups of parameters, and schedules of the learning rate."""

from backlight.core import missing
from backlight.torchlike.optim import lr_scheduler
from backlight.torchlike.optim.optimizer import Optimizer
from backlight.torchlike.optim.optimizers import SGD, Adam, AdamW, RMSprop

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "RMSprop", "lr_scheduler"]

__getattr__ = missing.names_of("torch.optim", missing.OPTIM)
