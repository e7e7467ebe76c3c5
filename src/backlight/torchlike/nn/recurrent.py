"""RNN, GRU and LSTM with PyTorch's arguments, on the recurrent ops of `backlight.autograd`."""

import math
from typing import Any, ClassVar

import numpy as np

from backlight import nn as backlight_nn
from backlight.autograd import Op, Tensor, apply, as_tensor, cat, ops, stack
from backlight.core import Array, ConfigError, GraphError, ShapeError
from backlight.core.arguments import check_flag, check_number, check_whole, shown
from backlight.nn.kind import Kind
from backlight.nn.module import as_input
from backlight.torchlike.nn import init
from backlight.torchlike.nn.dropout import dropout
from backlight.torchlike.nn.module import Module
from backlight.torchlike.nn.options import empty_parameter, refuse


class RNNBase(Module):
    """What the recurrent layers share.

    Args:
        input_size: length of an input, I.
        hidden_size: length of the hidden state, H.
        num_layers: layers one above the other: each reads the output of the one below.
        bias: must be True.
        batch_first: whether inputs and outputs are (B, T, ...) rather than (T, B, ...).
        dropout: probability of dropping an output between two layers in training.
        bidirectional: whether each layer also reads from right to left; both outputs are concatenated.
        device: "cpu" or None.
        dtype: float32 (the default) or float64.

    Attributes:
        weight_ih_l0: (G H, I) for G gates, of layer 0, like all others uniform within ±1 / √H.
        weight_hh_l0: (G H, H).
        bias_ih_l0: (G H,).
        bias_hh_l0: (G H,).

    Shape: (T, B, I), or (T, I) without a batch -> (T, B, H), or 2 H if bidirectional

    Raises:
        ConfigError: a size below 1, or an argument that is not supported.
        ShapeError: another input.
        GraphError: an initial state that requires a gradient.
    """

    layer_kind = Kind("recurrent", (-1.0, 1.0), settings=("hidden_size",))
    op: ClassVar[type[Op]]
    gates: ClassVar[int]

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True, batch_first: bool = False,
        dropout: float = 0.0, bidirectional: bool = False, device: Any = None, dtype: Any = None, *,
        proj_size: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        name = type(self).__name__
        check_whole(input_size=input_size, hidden_size=hidden_size, num_layers=num_layers)
        check_flag(batch_first=batch_first, bidirectional=bidirectional)
        check_number(0, dropout=dropout)
        refuse(name, bias=(bias, True), proj_size=(proj_size, 0))
        self.mode = name
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout, self.bidirectional = bias, batch_first, dropout, bidirectional
        directions = 2 if bidirectional else 1
        rows = self.gates * hidden_size
        for layer in range(num_layers):
            width = input_size if layer == 0 else hidden_size * directions
            for direction in range(directions):
                shapes = {"weight_ih": (rows, width), "weight_hh": (rows, hidden_size)}
                for part, shape in {**shapes, "bias_ih": (rows,), "bias_hh": (rows,)}.items():
                    setattr(self, _name(part, layer, direction), empty_parameter(shape, device, dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all weights and biases, in the order in which `parameters()` lists them."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def flatten_parameters(self) -> None:
        """Do nothing: it is for GPUs."""

    def forward(self, input: Any, hx: Any = None) -> Any:
        """Return the outputs of the last layer, and the last state of each layer and direction.

        Args:
            input: (T, B, I), (B, T, I) with `batch_first`, or (T, I).
            hx: the initial state, (layers x directions, B, H), or without B; 0 by default. An LSTM has a pair (h, c).
        """
        x = as_input(input, self.weight_ih_l0)
        single = x.array.ndim == 2
        if x.array.ndim not in {2, 3} or x.array.shape[-1] != self.input_size:
            raise ShapeError(
                f"{self.mode}({self.input_size}, {self.hidden_size}) needs an input with 2 or 3 axes, the last of "
                f"length {self.input_size}; got shape {tuple(x.array.shape)}."
            )
        if single:
            x = x.unsqueeze(0)
        elif not self.batch_first:
            x = x.transpose(0, 1)
        states = self._initial(hx, x.array.shape[0], single=single)
        ends: list[tuple[Tensor, ...]] = []
        for layer in range(self.num_layers):
            if layer:
                x = dropout(x, self.dropout, self.training)
            outputs = []
            for direction in range(2 if self.bidirectional else 1):
                start = None if states is None else tuple(part[len(ends)] for part in states)
                y, end = self._read(x, layer, direction, start)
                outputs.append(y)
                ends.append(end)
            x = outputs[0] if len(outputs) == 1 else cat(outputs, 2)
        last = [stack(parts, 0) for parts in zip(*ends, strict=True)]
        if single:
            x, last = x.squeeze(0), [part.squeeze(1) for part in last]
        elif not self.batch_first:
            x = x.transpose(0, 1)
        return x, tuple(last) if len(last) > 1 else last[0]

    def _read(
        self, x: Tensor, layer: int, direction: int, start: tuple[Array, ...] | None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return the outputs (B, T, H) of one layer in one direction, and its last state, (B, H) each."""
        T = x.array.shape[1]
        if not T:
            raise ShapeError(f"{self.mode} needs at least one time step; got none.")
        backwards = slice(None, None, -1)
        settings = {"state": start, "with_cell": True} if self.op is ops.LSTM else {"state": start}
        y = apply(self.op, x[:, backwards] if direction else x, *self._weights(layer, direction), **settings)
        end: tuple[Tensor, ...] = (y[:, T - 1],)
        if self.op is ops.LSTM:
            y, end = y[:, :T], (*end, y[:, T])
        return (y[:, backwards] if direction else y), end

    def _weights(self, layer: int, direction: int) -> list[Tensor]:
        """Return the op's weights: transposed, and with the sum of the two biases where only that matters."""
        held: Any = self._parameters
        W, U, b, d = (held[_name(part, layer, direction)] for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
        return [W.T, U.T, b, d] if self.op is ops.GRU else [W.T, U.T, b + d]

    def _initial(self, hx: Any, B: int, *, single: bool) -> tuple[Array, ...] | None:
        """Return the initial states as arrays, (layers x directions, B, H) each."""
        if hx is None:
            return None
        parts = tuple(hx) if self.op is ops.LSTM and isinstance(hx, (tuple, list)) else (hx,)
        wanted = (self.num_layers * (2 if self.bidirectional else 1), B, self.hidden_size)
        arrays = []
        for part in map(as_tensor, parts):
            if part._needs_grad:
                raise GraphError(
                    f"the initial state of {self.mode} gets no gradient; got one that requires it. Pass "
                    f"state.detach(), or use {self.mode}Cell."
                )
            array = part.array[:, None] if single and part.array.ndim == 2 else part.array
            if array.shape != wanted or len(parts) != (2 if self.op is ops.LSTM else 1):
                shape = tuple(size for at, size in enumerate(wanted) if at != 1 or not single)
                pair = "a pair (h, c) of " if self.op is ops.LSTM else ""
                raise ShapeError(f"the initial state must be {pair}shape {shape}; got {tuple(part.array.shape)}.")
            arrays.append(array)
        return tuple(arrays)

    def extra_repr(self) -> str:
        """Return the sizes, and the settings that are not the default."""
        usual = {"num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0, "bidirectional": False}
        settings = [f"{name}={getattr(self, name)}" for name, value in usual.items() if getattr(self, name) != value]
        return ", ".join([str(self.input_size), str(self.hidden_size), *settings])


class RNN(RNNBase):
    """h[t] = tanh(x[t] Wᵀ + b + h[t-1] Uᵀ + d): the plain recurrent layer. Args: see `RNNBase`.

    Source: Elman 1990, "Finding structure in time".
    """

    layer_kind = backlight_nn.RNN.layer_kind
    op = ops.RNN
    gates = 1

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, nonlinearity: str = "tanh", bias: bool = True,
        batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False, device: Any = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        refuse("RNN", nonlinearity=(nonlinearity, "tanh"))
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device, dtype)
        self.nonlinearity = nonlinearity


class GRU(RNNBase):
    """h[t] = (1 - z) n + z h[t-1], with update gate z, reset gate r and candidate n. Args: see `RNNBase`.

    Source: Cho et al. 2014, arXiv:1406.1078, section 2.3.
    """

    op = ops.GRU
    gates = 3


class LSTM(RNNBase):
    """c[t] = f c[t-1] + i g, h[t] = o tanh(c[t]): a cell with input, forget and output gates. Args: see `RNNBase`.

    Source: Hochreiter & Schmidhuber 1997; Gers, Schmidhuber & Cummins 2000, for the forget gate.
    """

    op = ops.LSTM
    gates = 4


class RNNCell(Module):
    """One step of a recurrent layer: h' = tanh(x Wᵀ + b + h Uᵀ + d).

    Args:
        input_size: length of an input, I.
        hidden_size: length of the hidden state, H.
        bias: whether to add biases.
        nonlinearity: "tanh" or "relu".
        device: "cpu" or None.
        dtype: float32 (the default) or float64.

    Shape: (B, I), (B, H) -> (B, H), or without B
    Raises: ConfigError: a size below 1, or another nonlinearity.
    """

    layer_kind = backlight_nn.RNN.layer_kind
    gates: ClassVar[int] = 1

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh", device: Any = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        check_whole(input_size=input_size, hidden_size=hidden_size)
        if nonlinearity not in {"tanh", "relu"}:
            raise ConfigError(f"nonlinearity must be 'tanh' or 'relu'; got {shown(nonlinearity)}.")
        self.input_size, self.hidden_size, self.bias, self.nonlinearity = input_size, hidden_size, bias, nonlinearity
        rows = self.gates * hidden_size
        self.weight_ih = empty_parameter((rows, input_size), device, dtype)
        self.weight_hh = empty_parameter((rows, hidden_size), device, dtype)
        for name in ("bias_ih", "bias_hh"):
            self.register_parameter(name, empty_parameter((rows,), device, dtype) if bias else None)
        bound = 1 / math.sqrt(hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def _sums(self, input: Any, h: Any) -> tuple[Tensor, Tensor, Tensor]:
        """Return x Wᵀ + b, h Uᵀ + d and h; h is 0 by default."""
        x = as_input(input, self.weight_ih)
        if x.array.shape[-1:] != (self.input_size,):
            raise ShapeError(f"{type(self).__name__} needs (B, {self.input_size}); got {tuple(x.array.shape)}.")
        if h is None:
            h = Tensor(np.zeros((*x.array.shape[:-1], self.hidden_size), x.array.dtype))
        a, m = x @ self.weight_ih.T, h @ self.weight_hh.T
        return (a + self.bias_ih, m + self.bias_hh, h) if self.bias else (a, m, h)

    def forward(self, input: Any, hx: Any = None) -> Any:
        """Return the next state; the state `hx` is 0 by default."""
        a, m, _ = self._sums(input, hx)
        return (a + m).tanh() if self.nonlinearity == "tanh" else (a + m).relu()

    def extra_repr(self) -> str:
        """Return the sizes, and the settings that are not the default."""
        unusual = "" if self.bias else f", bias={self.bias}"
        if getattr(self, "nonlinearity", "tanh") != "tanh":
            unusual += f", nonlinearity={self.nonlinearity}"
        return f"{self.input_size}, {self.hidden_size}{unusual}"


class GRUCell(RNNCell):
    """One step of a GRU. Args: see `RNNCell`."""

    layer_kind = backlight_nn.GRU.layer_kind
    gates = 3

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, "tanh", device, dtype)

    def forward(self, input: Any, hx: Any = None) -> Any:
        """Return the next state; the state `hx` is 0 by default."""
        a, m, h = self._sums(input, hx)
        (a_r, a_z, a_n), (m_r, m_z, m_n) = (part.split(self.hidden_size, -1) for part in (a, m))
        r, z = (a_r + m_r).sigmoid(), (a_z + m_z).sigmoid()
        n = (a_n + r * m_n).tanh()
        return (1 - z) * n + z * h


class LSTMCell(RNNCell):
    """One step of an LSTM. Args: see `RNNCell`."""

    layer_kind = backlight_nn.LSTM.layer_kind
    gates = 4

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, "tanh", device, dtype)

    def forward(self, input: Any, hx: Any = None) -> Any:
        """Return the next hidden state and cell; the pair `hx` of both is 0 by default."""
        h, c = (None, None) if hx is None else hx
        a, m, h = self._sums(input, h)
        i, f, g, o = (a + m).split(self.hidden_size, -1)
        c = (0 if c is None else f.sigmoid() * c) + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c


def _name(part: str, layer: int, direction: int) -> str:
    return f"{part}_l{layer}{'_reverse' if direction else ''}"
