"""Which pictures show what a finding says."""

from typing import Final

_RATE = ("loss", "update-to-data")
_GRADIENT = ("activation-gradients", "weight-gradients", "gradient-to-data")
_SIGNAL = ("preactivations", "activations")
_STEP = ("update-to-data", "loss")

BEARS_ON: Final[dict[str, tuple[str, ...]]] = {
    "loss-sign": ("loss",),
    "loss-summed": _RATE,
    "loss-broadcast": ("loss",),
    "softmax-twice": ("loss",),
    "single-output": ("loss",),
    "labels-constant": ("loss",),
    "labels-unrelated": ("loss",),
    "target-scale": ("loss",),
    "not-learning": ("loss", "update-to-data", "gradient-to-data"),
    "overconfident-start": ("loss",),
    "exploding-signal": _SIGNAL,
    "vanishing-signal": _SIGNAL,
    "identical-units": _SIGNAL,
    "input-scale": _SIGNAL,
    "input-ignored": ("activations", "loss"),
    "input-not-finite": ("loss",),
    "not-finite": ("loss", "update-to-data", "activations"),
    "saturated-units": ("activations", "saturation"),
    "dead-units": ("dead-units", "preactivations"),
    "exploding-gradients": _GRADIENT,
    "vanishing-gradients": _GRADIENT,
    "learning-rate-too-high": _RATE,
    "learning-rate-too-low": _RATE,
    "gradients-not-zeroed": _RATE,
    "no-step": _STEP,
    "not-in-optimiser": _STEP,
    "not-reached-by-gradient": ("gradient-to-data", "update-to-data"),
    "unused-layer": ("activations",),
    "adam-epsilon": _STEP,
    "weight-decay-dominates": ("gradient-to-data", "update-to-data"),
    "no-nonlinearity": ("activations",),
    "evaluation-mode": ("activations", "loss"),
    "random-in-evaluation": ("loss",),
    "dropout-too-high": ("loss",),
    "batch-norm-small-batch": ("preactivations", "loss"),
    "bias-before-batch-norm": ("preactivations",),
    "examples-mixed": ("activations",),
    "sees-the-future": ("loss",),
    "overfitting": ("loss",),
    "duplicates": ("loss",),
}
"""By a finding's id, the most telling first. A test holds this to the findings that there are."""
