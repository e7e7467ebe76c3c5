"""Recurrent layers: each reads a sequence from left to right and updates a hidden state of fixed size."""

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
    """The base class of the recurrent layers: weights of the input and of the hidden state, for all gates.

    Parameters have PyTorch's names (`weight_ih_l0` from the input, `weight_hh_l0` from the state) and the layout of the
    lectures, the transpose of PyTorch's. The initial weights of the state are orthogonal for each gate, so that the
    state neither vanishes nor explodes over many steps. Those of the input have variance 1 / I. Biases are 0, except
    the forget gate's of an LSTM.

    Args:
        input_size: length of an input, I.
        hidden_size: length of the hidden state, which is also the output, H.
        rng: draws the initial weights.

    Shape: (B, T, I) -> (B, T, H). The initial state is 0.

    Raises:
        ConfigError: a size below 1, or no rng.
        ShapeError: the input is not (B, T, I).
    Source: Saxe, McClelland & Ganguli 2014, arXiv:1312.6120, for the orthogonal weights.
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
        """Return the parameters in the order of the op's inputs."""
        return [part for _, part in self.parts() if isinstance(part, Parameter)]

    def forward(self, x: Operand, counts: Sequence[int] | None = None) -> Tensor:
        """Return the hidden state after each step.

        Args:
            x: (B, T, I); with counts, a packed batch (N, I): all rows of step 0, then all of step 1, and so on.
            counts: the number of rows of each step, never more than the step before: the longest sequences are first.

        Returns:
            (B, T, H); with counts, (N, H).
        """
        x = as_input(x, self.weight_ih_l0)
        self._check(x.array, rank=3 if counts is None else 2)
        return apply(self.op, x, *self.weights(), counts=counts)

    def carry(self, x_BTI: Array, state: State | None) -> tuple[FloatArray, State]:
        """Continue from a state, outside the graph.

        Args:
            x_BTI: one or more further steps of each sequence.
            state: the state after the previous steps, (B, H) each; None before the first step.

        Returns:
            The hidden states of all steps, (B, T, H), and the state to continue from.
        """
        self._check(x_BTI, rank=3)
        y_BTH, saved = self.op.forward(x_BTI, *[weight.array for weight in self.weights()], state=state)
        return y_BTH, saved[-1].last_state()

    def _check(self, x: Array, *, rank: int) -> None:
        if x.ndim != rank or x.shape[-1] != self.input_size:
            axes = "(B, T, I)" if rank == 3 else "(N, I)"
            raise ShapeError(
                f"{type(self).__name__}({self.extra_repr()}) needs x {axes} with I == {self.input_size}; "
                f"got x of shape {tuple(x.shape)}."
            )

    def extra_repr(self) -> str:
        """Return the lengths of the input and the hidden state."""
        return f"{self.input_size}, {self.hidden_size}"


class RNN(Recurrent):
    """h[t] = tanh(x[t] W + h[t-1] U + b): the plain recurrent layer. Args: see `Recurrent`.

    Attributes:
        weight_ih_l0: W, (I, H).
        weight_hh_l0: U, (H, H).
        bias_ih_l0: b, (H,). PyTorch adds a second bias.

    Source: Elman 1990, "Finding structure in time".
    """

    layer_kind = Kind("recurrent", (-1.0, 1.0), bounded=True, settings=("hidden_size",))

    op = ops.RNN
    gates = 1


class GRU(Recurrent):
    """h[t] = (1 - z) n + z h[t-1], with update gate z and candidate n. Args: see `Recurrent`.

    The reset gate r multiplies h U + d, after the bias, as in `torch.nn.GRU`. Each parameter holds those of r, z and n,
    in this order. For r and z only the sum of the two biases matters.

    Attributes:
        weight_ih_l0: W, (I, 3H).
        weight_hh_l0: U, (H, 3H).
        bias_ih_l0: b, (3H,).
        bias_hh_l0: d, (3H,).

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
    """c[t] = f c[t-1] + i g, h[t] = o tanh(c[t]): a cell c with input, forget and output gates. Args: see `Recurrent`.

    The bias of the forget gate is initially 1, so that the cell is kept at first. Each parameter holds those of the
    input gate i, the forget gate f, the candidate g and the output gate o, in this order.

    Attributes:
        weight_ih_l0: W, (I, 4H).
        weight_hh_l0: U, (H, 4H).
        bias_ih_l0: b, (4H,). PyTorch adds a second bias.

    Source: Hochreiter & Schmidhuber 1997; Gers, Schmidhuber & Cummins 2000, for the forget gate and its initial bias.
    """

    layer_kind = Kind("recurrent", (-1.0, 1.0), settings=("hidden_size",))

    op = ops.LSTM
    gates = 4
    bias_ih_l0: Parameter

    def __init__(self, input_size: int, hidden_size: int, *, rng: np.random.Generator | None = None) -> None:
        super().__init__(input_size, hidden_size, rng=rng)
        self.bias_ih_l0.array[hidden_size : 2 * hidden_size] = 1


def _orthogonal(size: int, rng: np.random.Generator) -> FloatArray:
    """Return a random orthogonal matrix, (size, size) float32: Q of the QR decomposition of a Gaussian matrix.

    With the diagonal of R made positive, the decomposition is unique and Q is uniformly distributed (Mezzadri 2007,
    arXiv:math-ph/0609050).
    """
    Q, R = np.linalg.qr(rng.standard_normal((size, size)))
    rotation: FloatArray = (Q * np.sign(np.diagonal(R))).astype(np.float32)
    return rotation
