"""`torch.nn`: modules, layers, losses and initialisation, on Backlight's tensors and ops.

With the same seed, first weights and dropout masks have the bits of PyTorch's: docs/torch_numbers.md.
"""

from backlight.core import missing
from backlight.torchlike.nn import functional, init, utils
from backlight.torchlike.nn.activations import (
    ELU,
    GELU,
    LeakyReLU,
    LogSoftmax,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Tanh,
)
from backlight.torchlike.nn.attention import MultiheadAttention
from backlight.torchlike.nn.containers import ModuleDict, ModuleList, ParameterDict, ParameterList, Sequential
from backlight.torchlike.nn.convolution import Conv1d
from backlight.torchlike.nn.dropout import Dropout
from backlight.torchlike.nn.layers import Bilinear, Embedding, Flatten, Identity, Linear, Unflatten
from backlight.torchlike.nn.losses import BCELoss, BCEWithLogitsLoss, CrossEntropyLoss, L1Loss, MSELoss, NLLLoss
from backlight.torchlike.nn.module import Module
from backlight.torchlike.nn.normalisation import BatchNorm1d, LayerNorm
from backlight.torchlike.nn.parameter import Parameter
from backlight.torchlike.nn.recurrent import GRU, LSTM, RNN, GRUCell, LSTMCell, RNNCell

__all__ = [
    "ELU",
    "GELU",
    "GRU",
    "LSTM",
    "RNN",
    "BCELoss",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "Bilinear",
    "Conv1d",
    "CrossEntropyLoss",
    "Dropout",
    "Embedding",
    "Flatten",
    "GRUCell",
    "Identity",
    "L1Loss",
    "LSTMCell",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LogSoftmax",
    "MSELoss",
    "Module",
    "ModuleDict",
    "ModuleList",
    "MultiheadAttention",
    "NLLLoss",
    "Parameter",
    "ParameterDict",
    "ParameterList",
    "RNNCell",
    "ReLU",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "Unflatten",
    "functional",
    "init",
    "utils",
]  # fmt: skip

__getattr__ = missing.names_of("torch.nn", missing.NN)
