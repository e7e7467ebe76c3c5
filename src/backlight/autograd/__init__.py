"""The graph: numbers and arrays that remember where they came from, and the walk back."""

from backlight.autograd.batching import Batched, batched
from backlight.autograd.gradcheck import gradcheck
from backlight.autograd.graph import Node, no_grad
from backlight.autograd.op import OPS, Op
from backlight.autograd.tensor import (
    Buffer,
    Parameter,
    Tensor,
    cat,
    cross_entropy,
    embed,
    hinge,
    linear,
    mse,
    one_hot,
    stack,
    where,
)
from backlight.autograd.tensor_base import apply
from backlight.autograd.value import Value

__all__ = [
    "OPS",
    "Batched",
    "Buffer",
    "Node",
    "Op",
    "Parameter",
    "Tensor",
    "Value",
    "apply",
    "batched",
    "cat",
    "cross_entropy",
    "embed",
    "gradcheck",
    "hinge",
    "linear",
    "mse",
    "no_grad",
    "one_hot",
    "stack",
    "where",
]
