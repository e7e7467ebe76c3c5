"""Layers, their initialisation, and losses."""

from backlight.autograd import Parameter, cross_entropy, hinge, mse
from backlight.nn import init, scalar
from backlight.nn.activations import ACTIVATIONS, GELU, ReLU, Sigmoid, Tanh
from backlight.nn.attention import CausalSelfAttention
from backlight.nn.convolution import CausalConv1d
from backlight.nn.dropout import Dropout
from backlight.nn.folding import fold, fold_batch_norm
from backlight.nn.layers import Embedding, Flatten, FlattenConsecutive, Linear, PositionalEmbedding, Sequential
from backlight.nn.module import Module, former_names
from backlight.nn.normalisation import BatchNorm1d, LayerNorm, update_bn
from backlight.nn.recurrent import GRU, LSTM, RNN

__all__ = [
    "ACTIVATIONS",
    "GELU",
    "GRU",
    "LSTM",
    "RNN",
    "BatchNorm1d",
    "CausalConv1d",
    "CausalSelfAttention",
    "Dropout",
    "Embedding",
    "Flatten",
    "FlattenConsecutive",
    "LayerNorm",
    "Linear",
    "Module",
    "Parameter",
    "PositionalEmbedding",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Tanh",
    "cross_entropy",
    "fold",
    "fold_batch_norm",
    "former_names",
    "hinge",
    "init",
    "mse",
    "scalar",
    "update_bn",
]
