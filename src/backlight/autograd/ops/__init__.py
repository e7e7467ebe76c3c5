"""The ops by family, each with forward and backward on plain arrays. `backlight.autograd.OPS` lists all of them."""

from backlight.autograd.ops.arithmetic import Add, Div, Mul, Neg, Pow, PowConstant, Sub
from backlight.autograd.ops.attention import CausalAttention
from backlight.autograd.ops.convolution import CausalConv1d
from backlight.autograd.ops.dropout import Dropout
from backlight.autograd.ops.einsum import EinSum
from backlight.autograd.ops.elementwise import GELU, Abs, Cast, Cos, Exp, Log, ReLU, Sigmoid, Sin, Sqrt, Step, Tanh
from backlight.autograd.ops.error_function import Erf, ExactGELU
from backlight.autograd.ops.gru import GRU
from backlight.autograd.ops.indexing import AddIndex, Embed, Index, SetIndex
from backlight.autograd.ops.losses import Hinge, MeanSquaredError
from backlight.autograd.ops.lstm import LSTM
from backlight.autograd.ops.matrix import Linear, MatMul
from backlight.autograd.ops.normalisation import BatchNorm, LayerNorm
from backlight.autograd.ops.recurrence import RNN
from backlight.autograd.ops.reduction import CumSum, Extreme, Mean, PickAlong, Prod, Std, Sum, Var
from backlight.autograd.ops.shape import Concatenate, Expand, MaskedFill, Permute, Reshape, Stack, Triangle, Where
from backlight.autograd.ops.softmax import CrossEntropy, LogSoftmax, Softmax

__all__ = [
    "GELU", "GRU", "LSTM", "RNN", "Abs", "Add", "AddIndex", "BatchNorm", "Cast", "CausalAttention", "CausalConv1d",
    "Concatenate", "Cos", "CrossEntropy", "CumSum", "Div", "Dropout", "EinSum", "Embed", "Erf", "ExactGELU", "Exp",
    "Expand", "Extreme", "Hinge", "Index", "LayerNorm", "Linear", "Log", "LogSoftmax", "MaskedFill", "MatMul",
    "Mean", "MeanSquaredError", "Mul", "Neg", "Permute", "PickAlong", "Pow", "PowConstant", "Prod", "ReLU",
    "Reshape", "SetIndex", "Sigmoid", "Sin", "Softmax", "Sqrt", "Stack", "Std", "Step", "Sub", "Sum", "Tanh",
    "Triangle", "Var", "Where",
]  # fmt: skip
