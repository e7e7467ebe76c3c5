"""Errors for names that do not exist: what each name does in PyTorch, and what to use instead."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Final

from backlight.core.errors import MissingNameError

SIMILAR: Final = 0.75
"""The similarity, as `difflib` measures it, from which a name is suggested in place of another."""


def missing_name(owner: str, name: str, names: Iterable[str], sentences: Mapping[str, str]) -> MissingNameError:
    """Return the error for a name that an object or a module does not have.

    Args:
        owner: the object or module, as a user writes it: "torch.nn", "Tensor".
        name: the name that does not exist.
        names: the names that exist.
        sentences: by well-known name, what it does and what to use instead.
    """
    if name in sentences:
        message = f"{owner} has no {name!r}: {sentences[name]}"
    else:
        near = get_close_matches(name, names, n=3, cutoff=SIMILAR)
        way_out = f"Did you mean {' or '.join(near)}?" if near else f"dir({owner}) lists the names it has."
        message = f"{owner} has no {name!r}. {way_out}"
    error = MissingNameError(message)
    error.name = name
    return error


class Absent:
    """A class attribute that raises MissingNameError with its own sentence when it is read.

    A `__getattr__` would do the same for all names, but it slows down every attribute access (by a tenth of a training
    step with tensors).

    Args:
        owner: the class, as a user writes it.
        name: the name of the attribute.
        sentence: what it does in PyTorch and what to use instead.
    """

    def __init__(self, owner: str, name: str, sentence: str) -> None:
        self._owner = owner
        self._name = name
        self._sentence = sentence

    def __get__(self, instance: object, owner: type | None = None) -> object:
        if instance is None:  # read from the class, by a tool that lists its attributes
            return self
        raise missing_name(self._owner, self._name, (), {self._name: self._sentence})


def names_of(owner: str, names: Sequence[str], sentences: Mapping[str, str]) -> Callable[[str], object]:
    """Return a `__getattr__` for a module, which raises MissingNameError with the sentence for a name.

    Args:
        owner: the module, as a lecture writes it.
        names: the names that the module has.
        sentences: by well-known name that it lacks, what the name does and what to use instead.
    """

    def missing(name: str) -> object:
        raise missing_name(owner, name, names, sentences)

    return missing


# -- names of PyTorch that do not exist here ---------------------------------------------------------------------------

_CPU = "Tensors live on the CPU: leave the line out"
_NOTHING = "Leave the line out: it changes speed only"
_NN = "It is planned, as torch.nn on these tensors. Until then, use"

TORCH: Final = {
    "add": "use a + b.",
    "amp": f"mixed precision is for GPUs. {_CPU}.",
    "autocast": f"mixed precision is for GPUs. {_CPU}.",
    "autograd": "it holds PyTorch's gradient functions. Call backward(), or use backlight.autograd.",
    "backends": f"it configures GPU libraries. {_CPU}.",
    "bernoulli": "it draws 0 or 1 by probability. It is planned; until then, torch.rand(p.shape) < p.",
    "bfloat16": "16-bit numbers are for GPUs. Use torch.float32.",
    "bmm": "it multiplies batches of matrices. Use a @ b.",
    "clamp": "it limits numbers to a range. It is planned; until then, torch.where(x < low, low, x).",
    "compile": f"it compiles a model. {_NOTHING}.",
    "device": f"it names the device of a tensor. {_CPU}, or pass device='cpu'.",
    "distributed": "it trains on several machines. It is not planned: use PyTorch, as backlight.pytorch does.",
    "einsum": "it sums products by a formula. It is planned; until then, use @, sum() and transpose().",
    "float16": "16-bit numbers are for GPUs. Use torch.float32.",
    "gather": "it selects along an axis by index. It is planned; until then, x[torch.arange(len(x)), index].",
    "inf": "infinity. Use float('inf').",
    "inference_mode": "it switches gradients off. Use torch.no_grad().",
    "isinf": "it finds infinite numbers. It is planned; until then, x.abs() == float('inf').",
    "isnan": "it finds nans. It is planned; until then, x != x.",
    "load": "it reads a file of weights. It is planned; until then, safetensors.numpy.load_file(path).",
    "logsumexp": "the logarithm of a sum of exponentials. It is planned; until then, x.exp().sum(dim).log().",
    "nan": "not a number. Use float('nan').",
    "optim": "it holds optimisers. It is planned; until then, from backlight.optim import AdamW, SGD.",
    "pi": "use math.pi.",
    "pow": "use a ** b.",
    "save": "it writes weights to a file. It is planned; until then, safetensors.numpy.save_file(weights, path).",
    "set_float32_matmul_precision": f"it chooses a faster product on GPUs. {_NOTHING}.",
    "set_printoptions": "it sets how tensors are printed. It is planned; until then, leave the line out.",
    "topk": "the largest numbers along an axis. It is planned; until then, np.sort(x.numpy()) or x.max(dim).",
    "utils": "it holds data loaders. It is planned; until then, take batches by torch.randint(0, len(X), (32,)).",
}
"""By name in `torch`."""

NN: Final = {
    **{name: f"a layer. {_NN} backlight.nn.{name}(..., rng=np.random.default_rng(0))." for name in (
        "Linear", "Embedding", "Dropout", "RNN", "GRU", "LSTM",
    )},
    **{name: f"a layer. {_NN} backlight.nn.{name}." for name in (
        "LayerNorm", "BatchNorm1d", "Sequential", "ReLU", "Tanh", "Sigmoid", "GELU", "Flatten",
    )},
    "Module": f"the base class of layers and models. {_NN} backlight.nn.Module.",
    "Parameter": f"a tensor that a model trains. {_NN} backlight.nn.Parameter.",
    "ModuleList": f"a list of layers. {_NN} a Python list of layers in a backlight.nn.Module, which finds them.",
    "ModuleDict": f"layers by name. {_NN} a dict of layers in a backlight.nn.Module, which finds them.",
    "Conv1d": f"a convolution. {_NN} backlight.nn.CausalConv1d.",
    "CrossEntropyLoss": f"a loss. {_NN} torch.nn.functional.cross_entropy.",
    "MultiheadAttention": f"attention. {_NN} backlight.nn.CausalSelfAttention.",
    "init": f"initial weights. {_NN} backlight.nn.init, or w = torch.randn(shape) * std.",
    "utils": "it clips gradients. It is planned; until then, backlight.optim.clip_grad_norm.",
}  # fmt: skip
"""By name in `torch.nn`."""

MODULE: Final[dict[str, str]] = {}
INIT: Final[dict[str, str]] = {}
OPTIM: Final[dict[str, str]] = {}
SCHEDULER: Final[dict[str, str]] = {}
UTILS: Final[dict[str, str]] = {}
DATA: Final[dict[str, str]] = {}
CUDA: Final[dict[str, str]] = {}

FUNCTIONAL: Final = {
    "dropout": "it drops numbers at random. It is planned; until then, backlight.nn.Dropout.",
    "layer_norm": "it normalises rows. It is planned; until then, backlight.nn.LayerNorm.",
    "normalize": "it divides by a norm. It is planned; until then, x / (x * x).sum(dim, keepdim=True).sqrt().",
    "pad": "it adds numbers at the edges. It is planned; until then, torch.cat.",
    "scaled_dot_product_attention": (
        "attention in one call. It is planned; until then, softmax(q @ k.mT / d**0.5 + mask, -1) @ v."
    ),
}
"""By name in `torch.nn.functional`."""

TENSOR: Final = {
    **{name: TORCH[name] for name in ("bernoulli", "bmm", "clamp", "gather", "isinf", "isnan", "logsumexp", "topk")},
    "add_": "use x += y, or x.data += y.",
    "chunk": "it cuts into n pieces. It is planned; until then, x.split(size, dim).",
    "copy_": "it copies numbers in place. Use x.data[...] = y.",
    "cpu": "tensors live on the CPU. Leave it out.",
    "cuda": "tensors live on the CPU. Leave it out.",
    "device": "tensors live on the CPU. Leave it out.",
    "diag": "it takes the diagonal. It is planned; until then, x[torch.arange(n), torch.arange(n)].",
    "dot": "use a @ b.",
    "expand_as": "use x.expand(y.shape).",
    "fill_": "it fills in place. Use x.data[...] = number.",
    "flip": "it reverses axes. It is planned; until then, x[torch.arange(n - 1, -1, -1)].",
    "mm": "use a @ b.",
    "multinomial": "use torch.multinomial(x, n).",
    "norm": "it computes the norm. It is planned; until then, (x * x).sum().sqrt().",
    "normal_": "it draws in place. Use x.data[...] = torch.randn(x.shape).",
    "pow": "use a ** b.",
    "repeat": "it repeats along axes. It is planned; until then, torch.cat([x, x], dim).",
    "reshape_as": "use x.reshape(y.shape).",
    "round": "it rounds. It is planned; until then, torch.tensor(np.round(x.numpy())).",
    "type": "use x.to(dtype).",
    "uniform_": "it draws in place. Use x.data[...] = torch.rand(x.shape).",
    "view_as": "use x.view(y.shape).",
}
"""By name of a tensor's method or attribute."""
