"""Automatic differentiation: numbers and arrays that record how they were computed, and the backward pass."""

from backlight.autograd.batching import Batched, Replay, Replayed, batched, replayed
from backlight.autograd.functional import cat, cross_entropy, embed, hinge, linear, mse, one_hot, stack, where
from backlight.autograd.gradcheck import gradcheck
from backlight.autograd.graph import Node, no_grad
from backlight.autograd.number import Value
from backlight.autograd.op import OPS, Op
from backlight.autograd.tensor import Buffer, Parameter, Tensor, as_tensor
from backlight.autograd.tensor_base import apply, as_array

__all__ = [
    "OPS",
    "Batched",
    "Buffer",
    "Node",
    "Op",
    "Parameter",
    "Replay",
    "Replayed",
    "Tensor",
    "Value",
    "apply",
    "as_array",
    "as_tensor",
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
    "replayed",
    "stack",
    "where",
]
