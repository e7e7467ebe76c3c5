"""Derivatives on view: a graph as records of who hands how much to whom, as a table, in words, as a picture."""

from backlight.autograd.explain.arrays import TensorContribution, TensorExplanation, TensorStep
from backlight.autograd.explain.explaining import explain
from backlight.autograd.explain.scalar import Contribution, Explanation, Step

__all__ = [
    "Contribution",
    "Explanation",
    "Step",
    "TensorContribution",
    "TensorExplanation",
    "TensorStep",
    "explain",
]
