"""Nets of Backlight's own layers, made as one makes them who knows how."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from tests.faults.tasks import SIDE, Data

from backlight.autograd import Tensor
from backlight.core import Array
from backlight.models import GPT, MLP, GPTConfig, MLPConfig, RecurrentModel, WaveNet, WaveNetConfig
from backlight.models.recurrent import LSTMConfig
from backlight.nn import (
    BatchNorm1d,
    Dropout,
    Embedding,
    Flatten,
    Linear,
    Module,
    ReLU,
    Sequential,
    Sigmoid,
    cross_entropy,
    mse,
)
from backlight.optim import SGD, AdamW

PIXELS = SIDE * SIDE


def inputs(x: Array) -> Any:
    """Return what a net takes: ids as they are, numbers as a tensor."""
    return x if x.dtype.kind == "i" else Tensor(x)


targets = np.asarray


def loss_of(data: Data) -> Callable[[Any, Any], Any]:
    return mse if data.classes is None else cross_entropy


def adam(lr: float, **settings: Any) -> Callable[[Any], Any]:
    return lambda parameters: AdamW(parameters, lr, **{"weight_decay": 0.0, **settings})


def sgd(lr: float, **settings: Any) -> Callable[[Any], Any]:
    return lambda parameters: SGD(parameters, lr, **settings)


def mlp(rng: np.random.Generator, *, V: int = 27, context: int = 4) -> Module:
    config = MLPConfig(vocabulary_size=V, context=context, embedding=10, hidden=(64,))
    return MLP(config, rng=rng)


def mlp_batch_norm(rng: np.random.Generator, *, V: int = 27, context: int = 4) -> Module:
    config = MLPConfig(vocabulary_size=V, context=context, embedding=10, hidden=(64, 64, 64), batch_norm=True)
    return MLP(config, rng=rng)


def wavenet(rng: np.random.Generator, *, V: int = 27, context: int = 4) -> Module:
    return WaveNet(WaveNetConfig(vocabulary_size=V, context=context, embedding=10, hidden=48), rng=rng)


def gpt(rng: np.random.Generator, *, V: int = 27, context: int = 12) -> Module:
    return GPT(GPTConfig(vocabulary_size=V, context=context, n_embd=32, n_layer=2, n_head=4, dropout=0.0), rng=rng)


def lstm(rng: np.random.Generator, *, V: int = 27, context: int = 12) -> Module:
    return RecurrentModel(LSTMConfig(vocabulary_size=V, context=context, embedding=16, hidden=(48,)), rng=rng)


def relu_mlp(rng: np.random.Generator, *, hidden: int = 64) -> Module:
    return Sequential(
        Flatten(),
        Linear(PIXELS, hidden, nonlinearity="relu", rng=rng), ReLU(),
        Linear(hidden, hidden, nonlinearity="relu", rng=rng), ReLU(),
        Linear(hidden, 10, scale=0.1, rng=rng),
    )  # fmt: skip


def dropout_mlp(rng: np.random.Generator, *, p: float = 0.2) -> Module:
    return Sequential(
        Flatten(),
        Linear(PIXELS, 64, nonlinearity="relu", rng=rng), ReLU(), Dropout(p, rng=rng),
        Linear(64, 64, nonlinearity="relu", rng=rng), ReLU(), Dropout(p, rng=rng),
        Linear(64, 10, scale=0.1, rng=rng),
    )  # fmt: skip


def deep_sigmoid(rng: np.random.Generator) -> Module:
    middle = [layer for _ in range(6) for layer in (Linear(32, 32, nonlinearity="sigmoid", rng=rng), Sigmoid())]
    return Sequential(Flatten(), Linear(PIXELS, 32, rng=rng), Sigmoid(), *middle, Linear(32, 10, rng=rng))


def linear_only(rng: np.random.Generator) -> Module:
    return Sequential(
        Flatten(), Linear(PIXELS, 64, rng=rng), Linear(64, 64, rng=rng), Linear(64, 10, scale=0.1, rng=rng)
    )


def biased_batch_norm(rng: np.random.Generator) -> Module:
    return Sequential(
        Flatten(),
        Linear(PIXELS, 64, nonlinearity="relu", rng=rng), BatchNorm1d(64), ReLU(),
        Linear(64, 64, nonlinearity="relu", rng=rng), BatchNorm1d(64), ReLU(),
        Linear(64, 10, scale=0.1, rng=rng),
    )  # fmt: skip


class _SeesAll(Module):
    """Attention in which each position reads all positions, those after it too."""

    def __init__(self, causal: Any) -> None:
        self.qkv, self.output, self.heads = causal.qkv, causal.output, causal.num_heads

    def forward(self, x: Any, places: Any = None) -> Tensor:
        del places
        B, T, C = x.shape
        D = C // self.heads
        q, k, v = self.qkv(x).view(B, T, 3, self.heads, D).permute(2, 0, 3, 1, 4).unbind(0)
        p = (q @ k.transpose(-2, -1) * (1 / math.sqrt(D))).softmax(-1)
        return self.output((p @ v).transpose(1, 2).reshape(B, T, C))

    def __call__(self, x: Any, places: Any = None) -> Tensor:
        return self.forward(x, places)


def sees_the_future(net: Any) -> None:
    """Take the mask off a GPT's attention."""
    for block in net.blocks:
        block.attention = _SeesAll(block.attention)


class Detached(Module):
    """A net whose first layers are cut off from the gradient, as by a `.detach()` left over from a look at them."""

    def __init__(self, net: Any) -> None:
        self.embedding, self.hidden, self.output = net.embedding, net.hidden, net.output

    def forward(self, x: Any) -> Tensor:
        h = self.hidden(self.embedding(x).view(len(x), -1))
        return self.output(h.detach())


def linears(net: Module) -> list[Any]:
    """Return the linear layers, first to last."""
    return [module for _, module in net.named_modules() if isinstance(module, Linear)]


def embeddings(net: Module) -> list[Any]:
    return [module for _, module in net.named_modules() if isinstance(module, Embedding)]


def array_of(parameter: Any) -> Array:
    """Return a parameter's numbers, which may be changed in place."""
    return parameter.array


parameters = Module.parameters
