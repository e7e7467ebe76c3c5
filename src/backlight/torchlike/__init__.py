"""The part of PyTorch's interface that lectures 2 to 7 use, for Backlight's tensors. Their code runs after one change.

    import backlight.torchlike as torch
    import backlight.torchlike.nn as nn
    from backlight.torchlike.nn import functional as F
    from backlight.torchlike.utils.data import DataLoader

With the same seed the random numbers equal PyTorch's, so that a network has the same initial weights,
dropout masks, batches and samples.
Differences: a shape is a plain tuple, a dtype is NumPy's, `Tensor([1, 2])` keeps integers, and errors are those of
`backlight.core`. If a name is missing, the error says what to use instead.
"""

from backlight.autograd import Tensor, cat, stack, where
from backlight.core import missing
from backlight.torchlike import _imports, amp, backends, cuda, nn, optim, utils
from backlight.torchlike._new import Size
from backlight.torchlike.amp import autocast
from backlight.torchlike.creation import (
    arange,
    as_tensor,
    empty,
    empty_like,
    eye,
    from_numpy,
    full,
    full_like,
    is_tensor,
    linspace,
    ones,
    ones_like,
    tensor,
    zeros,
    zeros_like,
)
from backlight.torchlike.dtypes import (
    bool,
    double,
    float,
    float32,
    float64,
    int,
    int8,
    int16,
    int32,
    int64,
    long,
    uint8,
)
from backlight.torchlike.functions import (
    abs,
    all,
    allclose,
    any,
    argmax,
    argmin,
    clone,
    cos,
    cumsum,
    equal,
    exp,
    flatten,
    histogram,
    isclose,
    log,
    log10,
    log_softmax,
    masked_fill,
    matmul,
    max,
    mean,
    min,
    numel,
    permute,
    relu,
    reshape,
    sigmoid,
    sin,
    softmax,
    split,
    sqrt,
    squeeze,
    std,
    sum,
    tanh,
    transpose,
    tril,
    triu,
    unbind,
    unsqueeze,
    var,
)
from backlight.torchlike.generator import Generator
from backlight.torchlike.random import (
    default_generator,
    initial_seed,
    manual_seed,
    multinomial,
    normal,
    rand,
    rand_like,
    randint,
    randn,
    randn_like,
    randperm,
    seed,
)
from backlight.torchlike.saving import load, save
from backlight.torchlike.switches import (
    compile,
    get_float32_matmul_precision,
    inference_mode,
    no_grad,
    set_float32_matmul_precision,
    use_deterministic_algorithms,
)

concat = cat

__all__ = [
    "Generator", "Size", "Tensor", "abs", "all", "allclose", "any", "arange", "argmax", "argmin", "as_tensor", "bool",
    "cat", "clone", "concat", "cos", "cuda", "cumsum", "default_generator", "double", "empty", "empty_like", "equal",
    "exp", "eye", "flatten", "float", "float32", "float64", "from_numpy", "full", "full_like", "histogram",
    "initial_seed", "int", "int8", "int16", "int32", "int64", "is_tensor", "isclose", "linspace", "log", "log10",
    "log_softmax", "long", "manual_seed", "masked_fill", "matmul", "max", "mean", "min", "multinomial", "nn",
    "no_grad", "normal", "numel", "ones", "ones_like", "optim", "permute", "rand", "rand_like", "randint", "randn",
    "randn_like", "randperm", "relu", "reshape", "seed", "sigmoid", "sin", "softmax", "split", "sqrt", "squeeze",
    "stack", "std", "sum", "tanh", "tensor", "transpose", "tril", "triu", "uint8", "unbind", "unsqueeze", "var",
    "where", "zeros", "zeros_like",
]  # fmt: skip

__all__ += [
    "amp", "autocast", "backends", "compile", "get_float32_matmul_precision", "inference_mode", "load", "save",
    "set_float32_matmul_precision", "use_deterministic_algorithms", "utils",
]  # fmt: skip

__getattr__ = missing.names_of("torch", missing.TORCH)

_imports.explain_missing_modules()
