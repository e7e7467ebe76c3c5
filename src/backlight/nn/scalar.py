"""Neurons made of single numbers: micrograd's `Neuron`, `Layer` and `MLP`, on `Value`."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from backlight.autograd import Value
from backlight.core import ConfigError, ShapeError

Number = float | int


class ScalarModule:
    """Something with Values to learn."""

    def parameters(self) -> list[Value]:
        """Return the Values to learn."""
        return []

    def zero_grad(self) -> None:
        """Set all gradients to 0."""
        for parameter in self.parameters():
            parameter.grad = 0.0


class Neuron(ScalarModule):
    """act(w · x + b) with weights uniform in -1..1 and bias 0.

    w · x + b is one node of the graph, which a product and a sum for each weight would only take longer to say.

    Args:
        nin: how many inputs.
        nonlin: whether an activation follows; without it the neuron is linear.
        activation: "relu" as in micrograd, or "tanh" as in the lecture.
        rng: where the first weights come from; by default, new ones each time.
    """

    def __init__(
        self, nin: int, nonlin: bool = True, *, activation: str = "relu", rng: np.random.Generator | None = None
    ) -> None:
        if activation not in {"relu", "tanh"}:
            raise ConfigError(f"the activation must be relu or tanh; got {activation!r}.")
        draw = np.random.default_rng() if rng is None else rng
        self.w = [Value(weight) for weight in draw.uniform(-1, 1, nin).tolist()]
        self.b = Value(0.0)
        self.nonlin = nonlin
        self.activation = activation

    def __call__(self, x: Sequence[Value | Number]) -> Value:
        """Return act(w · x + b)."""
        if len(x) != len(self.w):
            raise ShapeError(f"a neuron with {len(self.w)} weights needs as many inputs; got {len(x)}.")
        act = Value.dot(self.w, x, self.b)
        if not self.nonlin:
            return act
        return act.relu() if self.activation == "relu" else act.tanh()

    def parameters(self) -> list[Value]:
        """Return weights and bias."""
        return [*self.w, self.b]

    def __repr__(self) -> str:
        kind = {"relu": "ReLU", "tanh": "Tanh"}[self.activation] if self.nonlin else "Linear"
        return f"{kind}Neuron({len(self.w)})"


class Layer(ScalarModule):
    """Neurons side by side on the same inputs. One neuron gives a Value, several give a list."""

    def __init__(self, nin: int, nout: int, **settings: Any) -> None:
        self.neurons = [Neuron(nin, **settings) for _ in range(nout)]

    def __call__(self, x: Sequence[Value | Number]) -> Any:
        """Return what each neuron makes of the inputs."""
        x = [one if isinstance(one, Value) else Value(one) for one in x]  # a number is one leaf for all neurons
        out = [neuron(x) for neuron in self.neurons]
        return out[0] if len(out) == 1 else out

    def parameters(self) -> list[Value]:
        """Return the parameters of all neurons."""
        return [parameter for neuron in self.neurons for parameter in neuron.parameters()]

    def __repr__(self) -> str:
        return f"Layer of [{', '.join(map(str, self.neurons))}]"


class MLP(ScalarModule):
    """A multi-layer perceptron of `nin` inputs and layers of `nouts` neurons, the last one linear.

    Source: after A. Karpathy's micrograd (2020), whose interface it keeps.
    """

    def __init__(
        self, nin: int, nouts: Sequence[int], *, activation: str = "relu", rng: np.random.Generator | None = None
    ) -> None:
        draw = np.random.default_rng() if rng is None else rng
        sizes = [nin, *nouts]
        self.layers = [
            Layer(sizes[i], sizes[i + 1], nonlin=i != len(nouts) - 1, activation=activation, rng=draw)
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
