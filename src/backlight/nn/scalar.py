"""Networks of single numbers: micrograd's `Neuron`, `Layer` and `MLP`, built on `Value`.

Initial weights come from Python's `random`, as in micrograd, and can be fixed with `random.seed(1337)`. Pass
`rng=np.random.default_rng(0)` to draw them from a generator, as in all other layers.
"""

import random
from collections.abc import Sequence
from typing import Any, Protocol

from backlight.autograd import Value
from backlight.core import ConfigError, OperandError, ShapeError
from backlight.core.arguments import check_whole, shown

Number = float | int


class Uniform(Protocol):
    """A source of uniform random numbers: `np.random.Generator`, `random.Random`, or the module `random`."""

    def uniform(self, low: float, high: float, /) -> float:
        """Return a random number from `low` to `high`."""


class ScalarModule:
    """The base class of the scalar networks: an object with Values to train."""

    def parameters(self) -> list[Value]:
        """Return the Values to train."""
        return []

    def zero_grad(self) -> None:
        """Set all gradients to 0."""
        for parameter in self.parameters():
            parameter.grad = 0.0


class Neuron(ScalarModule):
    """act(w · x + b), with initial weights uniform in -1..1 and bias 0.

    w · x + b is one node of the graph, rather than a product and a sum for each weight.

    Args:
        nin: number of inputs.
        nonlin: whether to apply the activation; without it the neuron is linear.
        activation: "relu" as in micrograd, or "tanh" as in the lecture.
        rng: draws the initial weights; Python's `random` by default.

    Raises:
        ConfigError: nin below 1, an unknown activation, or an rng without `uniform`.
        ShapeError: called with another number of inputs.
        OperandError: called with something other than a list.
    """

    def __init__(self, nin: int, nonlin: bool = True, *, activation: str = "relu", rng: Uniform = random) -> None:
        check_whole(nin=nin)
        if not isinstance(activation, str) or activation not in {"relu", "tanh"}:
            raise ConfigError(f"activation must be 'relu' or 'tanh'; got {shown(activation)}.")
        if not hasattr(rng, "uniform"):
            raise ConfigError(f"rng must be a random generator; got {shown(rng)}. Pass rng=np.random.default_rng(0).")
        self.w = [Value(rng.uniform(-1, 1)) for _ in range(nin)]
        self.b = Value(0.0)
        self.nonlin = nonlin
        self.activation = activation

    def __call__(self, x: Sequence[Value | Number]) -> Value:
        """Return act(w · x + b)."""
        if not hasattr(x, "__len__"):
            raise OperandError(f"a neuron takes a list of {len(self.w)} numbers or Values; got {shown(x)}.")
        if len(x) != len(self.w):
            raise ShapeError(f"a neuron with {len(self.w)} weights needs as many inputs; got {len(x)}.")
        act = Value.dot(self.w, x, self.b)
        if not self.nonlin:
            return act
        return act.relu() if self.activation == "relu" else act.tanh()

    def parameters(self) -> list[Value]:
        """Return the weights and the bias."""
        return [*self.w, self.b]

    def __repr__(self) -> str:
        kind = {"relu": "ReLU", "tanh": "Tanh"}[self.activation] if self.nonlin else "Linear"
        return f"{kind}Neuron({len(self.w)})"


class Layer(ScalarModule):
    """Neurons with the same inputs. One neuron returns a Value, several return a list.

    Args:
        nin: number of inputs.
        nout: number of neurons.
        settings: the keyword arguments of `Neuron`.
    """

    def __init__(self, nin: int, nout: int, **settings: Any) -> None:
        check_whole(nin=nin, nout=nout)
        self.neurons = [Neuron(nin, **settings) for _ in range(nout)]

    def __call__(self, x: Sequence[Value | Number]) -> Any:
        """Return the output of each neuron.

        Raises:
            OperandError: not a list.
        """
        if not hasattr(x, "__iter__"):
            raise OperandError(f"a layer takes a list of numbers or Values; got {shown(x)}.")
        x = [item if isinstance(item, Value) else Value(item) for item in x]  # one leaf that all neurons share
        out = [neuron(x) for neuron in self.neurons]
        return out[0] if len(out) == 1 else out

    def parameters(self) -> list[Value]:
        """Return the parameters of all neurons."""
        return [parameter for neuron in self.neurons for parameter in neuron.parameters()]

    def __repr__(self) -> str:
        return f"Layer of [{', '.join(map(str, self.neurons))}]"


class MLP(ScalarModule):
    """A multi-layer perceptron whose last layer is linear.

    Args:
        nin: number of inputs.
        nouts: number of neurons of each layer.
        activation: see `Neuron`.
        rng: see `Neuron`.

    Raises:
        ConfigError: `nouts` is not a list of at least one number, or an argument of `Neuron` is wrong.
    Source: after A. Karpathy's micrograd (2020), whose interface it keeps.
    """

    def __init__(self, nin: int, nouts: Sequence[int], *, activation: str = "relu", rng: Uniform = random) -> None:
        if not isinstance(nouts, (list, tuple)) or not nouts:
            raise ConfigError(f"nouts must list the neurons of each layer, as in [16, 16, 1]; got {shown(nouts)}.")
        sizes = [nin, *nouts]
        self.layers = [
            Layer(sizes[i], sizes[i + 1], nonlin=i != len(nouts) - 1, activation=activation, rng=rng)
            for i in range(len(nouts))
        ]

    def __call__(self, x: Sequence[Value | Number]) -> Any:
        """Return the last layer's output."""
        out: Any = x
        for layer in self.layers:
            out = layer([out] if isinstance(out, Value) else out)
        return out

    def parameters(self) -> list[Value]:
        """Return the parameters of all layers."""
        return [parameter for layer in self.layers for parameter in layer.parameters()]

    def __repr__(self) -> str:
        return f"MLP of [{', '.join(map(str, self.layers))}]"
