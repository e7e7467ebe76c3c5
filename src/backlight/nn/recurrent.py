"""Layers with a memory: each reads a sequence from left to right and hands on a state of fixed size."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from backlight.autograd import Op, Parameter, Tensor, apply, ops
from backlight.autograd.ops.recurrence import State
from backlight.core import Array, ConfigError, FloatArray, ShapeError
from backlight.nn import init
from backlight.nn.kind import Kind
from backlight.nn.module import Module


class Recurrent(Module):
    """What the recurrent layers share: weights of the input and of the state, for all gates side by side.

    Args:
        fan_in: length of an input, I.
        hidden: length of the state, which is the output too, H.
        rng: where the first weights come from: the state's are orthogonal for each gate, so that a state neither fades
            nor bursts over many steps, and the input's have variance 1 / I. Biases start at 0, but for an LSTM's.

    Shape: (B, T, I) -> (B, T, H). The state before the first step is 0.
    Raises: ShapeError: the input is not (B, T, I).
    Source: Saxe, McClelland & Ganguli 2014, arXiv:1312.6120, for the orthogonal first weights.
    """

    op: ClassVar[type[Op]]
    gates: ClassVar[int]

    def __init__(self, fan_in: int, hidden: int, *, rng: np.random.Generator) -> None:
        for name, size in (("fan_in", fan_in), ("hidden", hidden)):
            if size < 1:
                raise ConfigError(f"{name} must be at least 1; got {size}.")
        self.fan_in = fan_in
        self.hidden = hidden
        self.weight_input = Parameter(init.kaiming_normal(fan_in, self.gates * hidden, nonlinearity="linear", rng=rng))
        self.weight_hidden = Parameter(np.hstack([_orthogonal(hidden, rng) for _ in range(self.gates)]))

    def weights(self) -> list[Parameter]:
        """Return the parameters in the op's order."""
        return [part for _, part in self.parts() if isinstance(part, Parameter)]

    def forward(self, x: Tensor, counts: Sequence[int] | None = None) -> Tensor:
        """Return the state after each step: (B, T, H) for x (B, T, I).

        With counts, x is (N, I), all rows of step 0, then all of step 1, and so on, and the states are (N, H). Counts
        say how many rows each step has, none more than the step before: the longest sequences stand first.
        """
        self._check(x.array, rank=3 if counts is None else 2)
        return apply(self.op, x, *self.weights(), counts=counts)

    def carry(self, x_BTI: Array, state: State | None) -> tuple[FloatArray, State]:
        """Go on from a state, outside the graph.

        Args:
            x_BTI: at least one further step of each sequence.
            state: what the steps before left, (B, H) each; None before the first.

        Returns:
            The states of all steps, (B, T, H), and the state to go on from.
        """
        self._check(x_BTI, rank=3)
        y_BTH, saved = self.op.forward(x_BTI, *[weight.array for weight in self.weights()], state=state)
        return y_BTH, saved[-1].last_state()

    def _check(self, x: Array, *, rank: int) -> None:
        if x.ndim != rank or x.shape[-1] != self.fan_in:
            axes = "(B, T, I)" if rank == 3 else "(N, I)"
            raise ShapeError(
                f"{type(self).__name__}({self.fan_in}, {self.hidden}) needs x {axes} with I == {self.fan_in}; "
                f"got x of shape {x.shape}."
            )

    def extra_repr(self) -> str:
        """Return the lengths of input and state."""
        return f"{self.fan_in}, {self.hidden}"


class RNN(Recurrent):
    """h[t] = tanh(x[t] W + h[t-1] U + b): the plain recurrent layer. For the arguments see `Recurrent`.

    Parameters: `weight_input` W (I, H), `weight_hidden` U (H, H), `bias` b (H,).
    Source: Elman 1990, "Finding structure in time".
    """

    layer_kind = Kind("recurrent", (-1.0, 1.0), bounded=True, settings=("hidden",))

    op = ops.RNN
    gates = 1

    def __init__(self, fan_in: int, hidden: int, *, rng: np.random.Generator) -> None:
        super().__init__(fan_in, hidden, rng=rng)
        self.bias = Parameter(np.zeros(hidden, np.float32))


class GRU(Recurrent):
    """h[t] = (1 - z) n + z h[t-1]: gates decide what stays of the state and what the candidate n hears of it.

    The reset gate multiplies the state's product after its bias, as in `torch.nn.GRU`. For the arguments see
    `Recurrent`.

    Parameters: `weight_input` (I, 3H), `weight_hidden` (H, 3H), `bias_input` and `bias_hidden` (3H,), for the reset
        gate r, the update gate z and the candidate n, in this order. Of r and z only the sum of the biases matters.
    Source: Cho et al. 2014, arXiv:1406.1078, section 2.3.
    """

    layer_kind = Kind("recurrent", (-1.0, 1.0), settings=("hidden",))

    op = ops.GRU
    gates = 3

    def __init__(self, fan_in: int, hidden: int, *, rng: np.random.Generator) -> None:
        super().__init__(fan_in, hidden, rng=rng)
        self.bias_input = Parameter(np.zeros(3 * hidden, np.float32))
        self.bias_hidden = Parameter(np.zeros(3 * hidden, np.float32))


class LSTM(Recurrent):
    """c[t] = f c[t-1] + i g, h[t] = o tanh(c[t]): a cell that gates write, keep and read. See `Recurrent`.

    The forget gate's bias starts at 1: a cell is kept until there is a reason to forget it.

    Parameters: `weight_input` (I, 4H), `weight_hidden` (H, 4H), `bias` (4H,), for the input gate i, the forget gate f,
        the candidate g and the output gate o, in this order.
    Source: Hochreiter & Schmidhuber 1997; Gers, Schmidhuber & Cummins 2000, for the forget gate and its first bias.
    """

    layer_kind = Kind("recurrent", (-1.0, 1.0), settings=("hidden",))

    op = ops.LSTM
    gates = 4

    def __init__(self, fan_in: int, hidden: int, *, rng: np.random.Generator) -> None:
        super().__init__(fan_in, hidden, rng=rng)
        bias = np.zeros(4 * hidden, np.float32)
        bias[hidden : 2 * hidden] = 1
        self.bias = Parameter(bias)


def _orthogonal(size: int, rng: np.random.Generator) -> FloatArray:
    """Return a random rotation (or reflection), (size, size) float32: Q of a Gaussian matrix's QR decomposition.

    With R's diagonal made positive the decomposition is unique, and Q evenly distributed (Mezzadri 2007,
    arXiv:math-ph/0609050).
    """
    Q, R = np.linalg.qr(rng.standard_normal((size, size)))
    rotation: FloatArray = (Q * np.sign(np.diagonal(R))).astype(np.float32)
    return rotation
