"""Layers with a memory: each reads a sequence from left to right and passes on a state of fixed size."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from backlight.autograd import Op, Parameter, Tensor, apply, ops
from backlight.autograd.ops.recurrence import State
from backlight.autograd.tensor_base import Operand
from backlight.core import Array, FloatArray, ShapeError
from backlight.core.arguments import check_rng, check_whole
from backlight.nn import init
from backlight.nn.kind import Kind
from backlight.nn.module import Module, as_input


class Recurrent(Module):
    """What the recurrent layers share: weights of the input and of the state, for all gates side by side.

    Parameters have PyTorch's names (`weight_ih_l0`: from the input, layer 0), and the lectures' layout: its transpose.

    Args:
        input_size: length of an input, I.
        hidden_size: length of the state, which is the output too, H.
        rng: draws the first weights: the state's are orthogonal for each gate, so that a state neither fades nor
            bursts over many steps, and the input's have variance 1 / I. Biases start at 0, except for an LSTM's.

    Shape: (B, T, I) -> (B, T, H). The state before the first step is 0.

    Raises:
        ConfigError: a size below 1, or no rng.
        ShapeError: the input is not (B, T, I).
    Source: Saxe, McClelland & Ganguli 2014, arXiv:1312.6120, for the orthogonal first weights.
    """

    op: ClassVar[type[Op]]
    gates: ClassVar[int]
    biases: ClassVar[tuple[str, ...]] = ("bias_ih_l0",)
    _former: ClassVar[Mapping[str, str]] = {
        "weight_ih_l0": "weight_input", "weight_hh_l0": "weight_hidden", "bias_ih_l0": "bias"
    }  # fmt: skip

    def __init__(self, input_size: int, hidden_size: int, *, rng: np.random.Generator | None = None) -> None:
        check_whole(input_size=input_size, hidden_size=hidden_size)
        rng = check_rng(rng, f"{type(self).__name__}({input_size}, {hidden_size})")
        self.input_size = input_size
        self.hidden_size = hidden_size
        G = self.gates
        self.weight_ih_l0 = Parameter(init.kaiming_normal(input_size, G * hidden_size, nonlinearity="linear", rng=rng))
        self.weight_hh_l0 = Parameter(np.hstack([_orthogonal(hidden_size, rng) for _ in range(G)]))
        for name in self.biases:
            setattr(self, name, Parameter(np.zeros(G * hidden_size, np.float32)))

    def weights(self) -> list[Parameter]:
        """Return the parameters in the op's order."""
        return [part for _, part in self.parts() if isinstance(part, Parameter)]

    def forward(self, x: Operand, counts: Sequence[int] | None = None) -> Tensor:
        """Return the state after each step: (B, T, H) for x (B, T, I).

        With counts, x is (N, I), all rows of step 0, then all of step 1, and so on, and the states are (N, H). Counts
        say how many rows each step has, none more than the step before: the longest sequences stand first.
        """
        x = as_input(x, self.weight_ih_l0)
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
        if x.ndim != rank or x.shape[-1] != self.input_size:
            axes = "(B, T, I)" if rank == 3 else "(N, I)"
            raise ShapeError(
                f"{type(self).__name__}({self.extra_repr()}) needs x {axes} with I == {self.input_size}; "
                f"got x of shape {x.shape}."
            )

    def extra_repr(self) -> str:
        """Return the lengths of input and state."""
        return f"{self.input_size}, {self.hidden_size}"


class RNN(Recurrent):
    """h[t] = tanh(x[t] W + h[t-1] U + b): the plain recurrent layer. For the arguments see `Recurrent`.

    Parameters: `weight_ih_l0` W (I, H), `weight_hh_l0` U (H, H), `bias_ih_l0` b (H,). PyTorch adds a second bias.
    Source: Elman 1990, "Finding structure in time".
    """

    layer_kind = Kind("recurrent", (-1.0, 1.0), bounded=True, settings=("hidden_size",))

    op = ops.RNN
    gates = 1


class GRU(Recurrent):
    """h[t] = (1 - z) n + z h[t-1]: gates decide how much of the state stays and how much enters the candidate n.

    The reset gate multiplies the state's product after its bias, as in `torch.nn.GRU`. For the arguments see
    `Recurrent`.

    Parameters: `weight_ih_l0` (I, 3H), `weight_hh_l0` (H, 3H), `bias_ih_l0` and `bias_hh_l0` (3H,), for the reset gate
        r, the update gate z and the candidate n, in this order. Of r and z only the sum of the biases matters.
    Source: Cho et al. 2014, arXiv:1406.1078, section 2.3.
    """

    layer_kind = Kind("recurrent", (-1.0, 1.0), settings=("hidden_size",))

    op = ops.GRU
    gates = 3
    biases = ("bias_ih_l0", "bias_hh_l0")
    _former: ClassVar[Mapping[str, str]] = {
        **Recurrent._former,
        "bias_ih_l0": "bias_input",
        "bias_hh_l0": "bias_hidden",
    }


class LSTM(Recurrent):
    """c[t] = f c[t-1] + i g, h[t] = o tanh(c[t]): a cell that gates write, keep and read. See `Recurrent`.

    The forget gate's bias starts at 1: a cell is kept until there is a reason to forget it.

    Parameters: `weight_ih_l0` (I, 4H), `weight_hh_l0` (H, 4H), `bias_ih_l0` (4H,), for the input gate i, the forget
        gate f, the candidate g and the output gate o, in this order. PyTorch adds a second bias.
    Source: Hochreiter & Schmidhuber 1997; Gers, Schmidhuber & Cummins 2000, for the forget gate and its first bias.
    """

    layer_kind = Kind("recurrent", (-1.0, 1.0), settings=("hidden_size",))

    op = ops.LSTM
    gates = 4
    bias_ih_l0: Parameter

    def __init__(self, input_size: int, hidden_size: int, *, rng: np.random.Generator | None = None) -> None:
        super().__init__(input_size, hidden_size, rng=rng)
        self.bias_ih_l0.array[hidden_size : 2 * hidden_size] = 1


def _orthogonal(size: int, rng: np.random.Generator) -> FloatArray:
    """Return a random rotation (or reflection), (size, size) float32: Q of a Gaussian matrix's QR decomposition.

    With R's diagonal made positive the decomposition is unique, and Q evenly distributed (Mezzadri 2007,
    arXiv:math-ph/0609050).
    """
    Q, R = np.linalg.qr(rng.standard_normal((size, size)))
    rotation: FloatArray = (Q * np.sign(np.diagonal(R))).astype(np.float32)
    return rotation
