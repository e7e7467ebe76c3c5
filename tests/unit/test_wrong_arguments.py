"""Whatever a user passes to tensors, layers, optimisers and torchlike: an answer, or a BacklightError in one line.

Each call below is right. Each of its arguments is then replaced by each of `WRONG`, one at a time.
"""

import copy
import inspect
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import backlight.torchlike as torch
import backlight.torchlike.nn.functional as F  # noqa: N812  (its usual name)
from backlight import autograd, explain, nn, optim
from backlight.autograd import OPS, Parameter, Tensor, Value
from backlight.core import BacklightError

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore:Data type alias 'a':DeprecationWarning"),
]

WRONG = [
    "a", "float99", None, 1j, [], (), {}, {"a": 1}, ["a"], [[1, 2], [3]], object(), -1, 0, 2.5, float("nan"), 10**400,
    True, np.zeros(0, "f4"), np.array(["x"]), np.ones((2, 3), "f4"), Tensor([1.0, 2.0]), Tensor(3), Value(1.0), print,
]  # fmt: skip


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def numbers(*shape: int) -> Tensor:
    return Tensor(rng().standard_normal(shape).astype("f4"), requires_grad=True)


X, IDS = numbers(2, 3), np.array([[0, 1], [2, 0]])
DRAWS = {"rng": rng()}

CALLS: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = [
    # numbers and arrays in a graph
    (Value, (2.0,), {}), (Tensor, ([1.0],), {"dtype": None, "requires_grad": False}), (Parameter, ([1.0],), {}),
    (autograd.cat, ([X, X], 0), {}), (autograd.stack, ([X, X], 0), {}), (autograd.one_hot, (IDS, 3), {}),
    (autograd.where, (X > 0, X, X), {}), (autograd.linear, (X, numbers(3, 4), numbers(4)), {}),
    (autograd.embed, (IDS, X.T), {}), (autograd.cross_entropy, (X, np.array([0, 1])), {}), (autograd.mse, (X, X), {}),
    (autograd.hinge, (numbers(3), np.ones(3)), {}), (autograd.apply, (OPS["add"], X, X), {}),
    (autograd.gradcheck, (Tensor.exp, [Tensor(np.ones(2), requires_grad=True)]), {"bound": 1e-6, "most": 1, **DRAWS}),
    (autograd.batched(lambda x: x * 2), (np.ones(3),), {}), (explain, (Value(1.0) * 2,), {"names": {}}),
    # layers
    (nn.Linear, (3, 4, True), {"nonlinearity": "relu", "scale": 1.0, **DRAWS}), (nn.Dropout, (0.5,), DRAWS),
    (nn.Embedding, (5, 3), {"scale": 1.0, **DRAWS}), (nn.BatchNorm1d, (3, 1e-5, 0.1), {}), (nn.LayerNorm, (3,), {}),
    (nn.PositionalEmbedding, (5, 3), {"scale": 1.0, **DRAWS}), (nn.FlattenConsecutive, (2,), {}),
    (nn.CausalConv1d, (3, 4, 2), {"dilation": 1, "nonlinearity": "relu", **DRAWS}), (nn.Sequential, (nn.Tanh(),), {}),
    (nn.CausalSelfAttention, (4, 2), {"dropout": 0.1, "scale": 1.0, **DRAWS}), (nn.RNN, (3, 4), DRAWS),
    (nn.GRU, (3, 4), DRAWS), (nn.LSTM, (3, 4), DRAWS), (nn.fold, (nn.Sequential(nn.Tanh()),), {}),
    (nn.fold_batch_norm, (nn.Linear(2, 3, rng=rng()), nn.BatchNorm1d(3)), {}), (nn.former_names, (nn.Tanh(),), {}),
    (nn.update_bn, (nn.Sequential(nn.BatchNorm1d(3)), X), {}), (nn.init.kaiming_normal, (3, 4), DRAWS),
    (nn.scalar.Neuron, (2,), {"activation": "relu", **DRAWS}), (nn.scalar.MLP, (2, [2, 1]), DRAWS),
    # optimisers
    (optim.SGD, ([Parameter([1.0])], 0.1), {"momentum": 0.9, "decay_vectors": True, "nesterov": True}),
    (optim.AdamW, ([Parameter([1.0])], 0.1), {"betas": (0.9, 0.99), "eps": 1e-8, "weight_decay": 0.1}),
    (optim.clip_grad_norm, ([Parameter([1.0])], 1.0), {}), (optim.update_ema, (np.zeros(3), np.ones(3), 0.5), {}),
    (optim.Constant(lr=0.1), (3,), {}), (optim.StepDecay(lr=0.1, at=(3,)), (3,), {}),
    (optim.StepDecay, (), {"lr": 0.1, "at": (3,), "factor": 0.1}), (optim.Constant, (), {"lr": 0.1}),
    (optim.WarmupCosine(lr=0.1, steps=5), (3,), {}),
    (optim.WarmupCosine, (), {"lr": 0.1, "steps": 9, "warmup": 3, "final": 0.1}),
    # PyTorch's names
    *[(getattr(torch, name), (X,), {}) for name in (
        "exp", "log", "tanh", "abs", "all", "argmax", "mean", "sum", "std", "max", "min", "numel", "clone", "flatten",
        "tril", "squeeze", "unbind", "is_tensor", "zeros_like", "rand_like", "randn_like", "tensor", "as_tensor",
    )],
    *[(getattr(torch, name), (2, 3), {"dtype": None, "device": "cpu"}) for name in ("zeros", "ones", "empty", "eye")],
    *[(getattr(torch, name), (2, 3), {"dtype": None, "generator": None}) for name in ("rand", "randn")],
    (torch.full, ((2, 3), 1.0), {}), (torch.full_like, (X, 1.0), {}), (torch.arange, (5,), {"dtype": None}),
    (torch.linspace, (0, 1, 5), {"dtype": None}), (torch.randint, (0, 5, (3,)), {"dtype": None, "generator": None}),
    (torch.randperm, (5,), {"generator": None}), (torch.normal, (0.0, 1.0, (3,)), {"dtype": None, "generator": None}),
    (torch.multinomial, (Tensor([0.5, 0.5]), 1), {"generator": None}), (torch.matmul, (X, X.T), {}),
    (torch.isclose, (X, X), {}), (torch.allclose, (X, X), {}), (torch.equal, (X, X), {}), (torch.histogram, (X, 5), {}),
    (torch.softmax, (X, 1), {}), (torch.split, (X, 1), {}), (torch.transpose, (X, 0, 1), {}),
    (torch.reshape, (X, (3, 2)), {}), (torch.masked_fill, (X, X > 0, 0.0), {}), (torch.Generator, ("cpu",), {}),
    (torch.manual_seed, (3,), {}),
    (F.softmax, (X, 1), {}), (F.log_softmax, (X, 1), {}), (F.gelu, (X, "tanh"), {}), (F.linear, (X, numbers(4, 3)), {}),
    (F.embedding, (IDS, X.T), {}), (F.mse_loss, (X, X), {}), (F.one_hot, (IDS, 3), {}),
    (F.nll_loss, (X, np.array([0, 1])), {"ignore_index": -100, "reduction": "sum"}),
    (F.cross_entropy, (X, np.array([0, 1])), {"ignore_index": -100, "reduction": "sum"}),
]  # fmt: skip

LAYERS = [
    nn.Linear(3, 4, rng=rng()), nn.Embedding(5, 3, rng=rng()), nn.BatchNorm1d(3), nn.BatchNorm1d(3).eval(),
    nn.LayerNorm(3), nn.CausalConv1d(3, 4, 2, rng=rng()), nn.CausalSelfAttention(4, 2, rng=rng()), nn.Tanh(), nn.ReLU(),
    nn.Dropout(rng=rng()), nn.PositionalEmbedding(5, 3, rng=rng()), nn.RNN(3, 4, rng=rng()), nn.GRU(3, 4, rng=rng()),
    nn.LSTM(3, 4, rng=rng()), nn.FlattenConsecutive(2), nn.Flatten(), nn.GELU(), nn.Sigmoid(), nn.Sequential(),
    nn.Sequential(nn.Linear(3, 4, rng=rng()), nn.Tanh()),
]  # fmt: skip

METHODS: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys((
        "argmax", "argmin", "all", "any", "cumsum", "softmax", "log_softmax", "unsqueeze", "squeeze", "unbind", "size",
        "var", "std", "mean", "tril", "triu", "__getitem__", "__add__", "__rsub__", "__mul__", "__rtruediv__", "__lt__",
        "__pow__", "__rpow__", "__matmul__", "__rmatmul__", "__iadd__", "__eq__", "backward", "requires_grad_", "to",
    ), (0,)),
    "sum": (0, True), "max": (0, True), "min": (0, True), "view": (3, 2), "reshape": (6,), "flatten": (0, 1),
    "unflatten": (1, (3, 1)), "transpose": (0, 1), "permute": ((1, 0),), "expand": (2, 3), "split": (1, 0),
    "masked_fill": (np.ones((2, 3), bool), 0.0), "__setitem__": (0, 1.0), "register_hook": (print,),
}  # fmt: skip


def allow(call: Callable[..., Any], *arguments: Any, **settings: Any) -> None:
    """Make a call. Whatever is wrong with it must be a BacklightError of one line."""
    message = "."
    try:
        call(*arguments, **settings)
    except BacklightError as error:
        message = str(error)
    assert "\n" not in message
    assert message[-1] in ".?", message


def one_wrong(right: tuple[Any, ...], settings: dict[str, Any]) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Return the arguments with each of them replaced by each wrong thing."""
    by_place = [((*right[:at], wrong, *right[at + 1 :]), settings) for at in range(len(right)) for wrong in WRONG]
    by_name = [(right, {**settings, name: wrong}) for name in settings for wrong in WRONG]
    return by_place + by_name


def name_of(thing: Any) -> str:
    return getattr(thing, "__name__", type(thing).__name__)


@pytest.mark.parametrize(("call", "right", "settings"), CALLS, ids=[name_of(call) for call, *_ in CALLS])
def test_functions_and_classes(call, right, settings):
    call(*right, **settings)
    for arguments, named in one_wrong(right, settings):
        allow(call, *arguments, **named)


@pytest.mark.parametrize("layer", LAYERS, ids=name_of)
def test_layers(layer):
    for wrong in WRONG:
        allow(layer, wrong)
        for method in ("load_state_dict", "to", "set_rng"):
            allow(getattr(copy.deepcopy(layer), method), wrong)


@pytest.mark.parametrize("dtype", ["f4", "i8"])
@pytest.mark.parametrize("method", METHODS)
def test_methods_of_tensors(method, dtype):
    for arguments, _ in one_wrong(METHODS[method], {}):
        allow(getattr(Tensor(np.arange(1, 7).astype(dtype).reshape(2, 3)), method), *arguments)


@pytest.mark.parametrize("shape", [(), (0, 3), (3, 0), (1, 1, 1)], ids=str)
def test_tensors_of_odd_shapes(shape):
    for name in dir(Tensor):
        tensor = Tensor(np.zeros(shape, "f4"))  # a new one for each: some methods change it
        method = getattr(tensor, name) if callable(getattr(Tensor, name)) else None
        if method is not None and not name.startswith("_") and inspect.ismethod(method):
            required = [p for p in inspect.signature(method).parameters.values() if p.default is p.empty]
            allow(method, *[0] * sum(p.kind is not p.VAR_POSITIONAL for p in required))
    for use in (len, float, int, bool, list, repr, operator.index, lambda t: f"{t:.2f}", lambda t: t.T + t.mT):
        allow(use, tensor)


@pytest.mark.parametrize("attribute", ["grad", "data", "requires_grad"])
def test_attributes_of_tensors(attribute):
    for wrong in WRONG:
        allow(setattr, Tensor(np.ones((2, 3), "f4")), attribute, wrong)


def test_the_state_of_an_optimiser():
    optimiser = optim.AdamW([Parameter([1.0])])
    for wrong in WRONG:
        allow(optimiser.load_state_dict, wrong)
        for name, array in optimiser.state_dict().items():
            allow(optimiser.load_state_dict, {**optimiser.state_dict(), name: wrong})
            assert optimiser.state_dict()[name].shape == array.shape


@pytest.mark.parametrize("returned", [np.float64(2.0), 2.0, None, "a", np.ones(2)], ids=repr)
def test_gradcheck_of_a_function_that_returns_no_tensor(returned):
    with pytest.raises(BacklightError, match=r"needs a function that returns a tensor; got .* Leave out"):
        autograd.gradcheck(lambda _: returned, Tensor(np.ones(2), requires_grad=True))
