"""Explain a graph: how each gradient is computed, as records, as a table, in words and as a picture.

explaining.py   `explain`, for a Value or a Tensor
scalar.py       the explanation of a Value; words.py has its sentences and formulas
arrays.py       the explanation of a Tensor
frames.py       the backward pass of a Value, frame by frame
parsing.py, expression.py        an expression in text, as a graph of Values
picture.py, layout.py, arranging.py, svg.py, notebook.py        a graph as a drawing
"""

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

Node._repr_html_ = node_html  # type: ignore[attr-defined]  # how a notebook displays a Value or a Tensor
