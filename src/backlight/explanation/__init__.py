"""Derivatives on view: a graph as records of who hands how much to whom, as a table, in words, as a picture."""

from backlight.autograd.graph import Node
from backlight.explanation.arrays import TensorContribution, TensorExplanation, TensorStep
from backlight.explanation.explaining import explain
from backlight.explanation.notebook import node_html
from backlight.explanation.scalar import BackwardStep, Contribution, Explanation

__all__ = [
    "BackwardStep",
    "Contribution",
    "Explanation",
    "TensorContribution",
    "TensorExplanation",
    "TensorStep",
    "explain",
]

Node._repr_html_ = node_html  # type: ignore[attr-defined]  # what a notebook shows of a Value or a Tensor
