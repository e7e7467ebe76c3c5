"""What owns parameters: layers, their initialisation, and the losses."""

from backlight.autograd import Parameter, cross_entropy, hinge, mse
from backlight.nn import init, scalar
from backlight.nn.activations import ACTIVATIONS, GELU, ReLU, Sigmoid, Tanh
from backlight.nn.layers import Embedding, Flatten, Linear, Sequential
from backlight.nn.module import Module

__all__ = [
    "ACTIVATIONS",
    "GELU",
    "Embedding",
    "Flatten",
    "Linear",
    "Module",
    "Parameter",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Tanh",
    "cross_entropy",
    "hinge",
    "init",
    "mse",
    "scalar",
]
