"""Optimisers, learning-rate schedules, gradient clipping and weight averaging."""

from backlight.optim.adamw import AdamW
from backlight.optim.blending import update_ema
from backlight.optim.clipping import clip_grad_norm
from backlight.optim.muon import Muon
from backlight.optim.optimiser import Optimiser
from backlight.optim.scalars import ScalarAdam
from backlight.optim.schedules import Constant, Schedule, StepDecay, WarmupCosine
from backlight.optim.sgd import SGD

__all__ = [
    "SGD",
    "AdamW",
    "Constant",
    "Muon",
    "Optimiser",
    "ScalarAdam",
    "Schedule",
    "StepDecay",
    "WarmupCosine",
    "clip_grad_norm",
    "update_ema",
]
