"""What the recurrent ops share, and the plain recurrence: each step computes a state from its input and the last state.

    state[t] = cell(x[t], state[t-1])

Only this dependence needs a loop over time. The products of the inputs with their weights are one matrix product before
the loop, and the gradients of the weights are one matrix product after the backward loop.

Internally, arrays are packed with time as the outer axis, as in PyTorch's `PackedSequence`: (N, ...) holds the rows of
step 0, then those of step 1, and so on. The rows of a step are contiguous. Sequences are sorted by length, longest
first, so a step never has more rows than the one before. In a batch (B, T, I) all sequences have the same length.
Derivations: docs/derivations/recurrent.md.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backlight.autograd.op import Op
from backlight.core import Array, ShapeError

State = tuple[Array, ...]
"""The state between two steps, (B, H) each: (h,), or (h, c) of an LSTM."""


@dataclass(frozen=True, slots=True)
class TimeStep:
    """The slices of the packed arrays that belong to one time step.

    Attributes:
        rows: the number of rows.
        now: the rows among inputs and gates, (N, ...).
        before: the previous states among the states (B + N, H): B initial ones, then one for each row of x.
        after: the new states, in the same array.
        carried: whether the previous state can differ from 0. If it cannot, its products are skipped.
    """

    rows: int
    now: slice
    before: slice
    after: slice
    carried: bool


class TimeSteps:
    """The time steps of a batch, and the conversion between its shape and packed arrays.

    Args:
        x: the input, (B, T, I), or packed (N, I) with counts.
        counts: the number of rows of each step, never more than the step before; None for a batch (B, T, I).
        state: the initial state, (B, H) each; None for 0.

    Raises:
        ShapeError: x has another number of axes, counts that do not fit x, or a state with another number of rows.
    """

    def __init__(self, x: Array, counts: Sequence[int] | None, state: State | None) -> None:
        if x.ndim != (3 if counts is None else 2):
            raise ShapeError(f"a recurrence needs x (B, T, I), or x (N, I) with counts; got x of shape {x.shape}.")
        self.batch = x.shape[:2] if counts is None else None
        self.counts = [x.shape[0]] * x.shape[1] if counts is None else list(counts)
        self.rows = x.shape[0] if counts is None else self.counts[0] if self.counts else 0
        self.total = sum(self.counts)
        self.state = state
        falling = all(late <= early for early, late in zip(self.counts, self.counts[1:], strict=False))
        if counts is not None and (self.total != len(x) or not falling):
            raise ShapeError(
                f"counts must not increase from step to step and must sum to len(x) == {len(x)}; got {self.counts}."
            )
        if state is not None and any(len(part) != self.rows for part in state):
            raise ShapeError(f"an initial state needs a row for each of {self.rows} sequences; got {state[0].shape}.")
        self._steps = list(self._slices())
        self._states: list[Array] = []

    def _slices(self) -> Iterator[TimeStep]:
        start, before = 0, 0
        for rows in self.counts:
            after = start + self.rows
            yield TimeStep(
                rows, slice(start, start + rows), slice(before, before + rows), slice(after, after + rows),
                carried=start > 0 or self.state is not None,
            )  # fmt: skip
            start, before = start + rows, after

    def __iter__(self) -> Iterator[TimeStep]:
        """Yield the steps from first to last."""
        return iter(self._steps)

    def __reversed__(self) -> Iterator[TimeStep]:
        """Yield the steps from last to first."""
        return reversed(self._steps)

    def flat(self, array: Array) -> Array:
        """Return an array (B, T, C) packed as (N, C)."""
        return array if self.batch is None else array.swapaxes(0, 1).reshape(self.total, array.shape[2])

    def shaped(self, array_NC: Array) -> Array:
        """Return a view of a packed array (N, C) in the shape of the batch, (B, T, C)."""
        if self.batch is None:
            return array_NC
        B, T = self.batch
        return array_NC.reshape(T, B, array_NC.shape[1]).swapaxes(0, 1)

    def input_sums(self, x: Array, weight: Array, bias: Array) -> tuple[Array, Array]:
        """Return x packed, (N, I), and x W + b, (N, G), for weight W (I, G) and bias b (G,)."""
        x_NI = self.flat(x)
        sums = x_NI @ weight
        sums += bias
        return x_NI, sums

    def states(self, size: int, dtype: Any) -> Array:
        """Return an array (B + N, size) for the next part of the state (h, then c), with the B initial rows set."""
        part = len(self._states)
        states = np.empty((self.rows + self.total, size), dtype)
        states[: self.rows] = 0 if self.state is None else self.state[part]
        self._states.append(states)
        return states

    def last_state(self) -> State:
        """Return the state after the last step, from which the batch can be continued."""
        rows = self.counts[-1] if self.counts else self.rows
        return tuple(states[len(states) - rows :] for states in self._states)

    def state_gradients(self, dy: Array) -> Array:
        """Return (B + N, H), the gradients dy of the states; the loop adds the contributions of later steps."""
        dh = np.empty((self.rows + self.total, dy.shape[-1]), dy.dtype)
        dh[: self.rows] = 0
        dh[self.rows :] = self.flat(dy)
        return dh

    def before(self, states: Array) -> Array:
        """Return (N, H), the previous state of each row; a view if all sequences have the same length."""
        if self.total == self.rows * len(self.counts):
            return states[: self.total]
        return np.concatenate([states[step.before] for step in self._steps])

    def hidden_gradient(self, h: Array, dgates_NG: Array) -> Array:
        """Return (H, G), the gradient of the hidden weights, from the states (B + N, H) and the gates' gradients."""
        zeros = self.rows if self.state is None else 0  # initial states of 0 contribute nothing
        return self.before(h)[zeros:].T @ dgates_NG[zeros:]


def sigmoid_in_place(a: Array) -> None:
    """Replace each element a by 1 / (1 + e⁻ᵃ) = (1 + tanh(a/2)) / 2, which cannot overflow."""
    a *= 0.5
    np.tanh(a, out=a)
    a *= 0.5
    a += 0.5


class RNN(Op):
    """h[t] = tanh(x[t] W + h[t-1] U + b): all time steps of the plain recurrence.

    x (B, T, I) gives h (B, T, H), with W (I, H), U (H, H), b (H,). With `counts`, x (N, I) gives h (N, H). The initial
    state is 0, or `state`, which gets no gradient.
    Source: Elman 1990, "Finding structure in time".
    """

    name = "rnn"
    formula = (
        "h[t] = tanh(x[t] W + h[t-1] U + b);  da[t] = (dy[t] + da[t+1] Uᵀ)(1 - h[t]²);  dx = da Wᵀ;  "
        "dW = Σ x[t]ᵀ da[t];  dU = Σ h[t-1]ᵀ da[t];  db = Σ da[t]"
    )
    fits = "x (B, T, I), W (I, H), U (H, H) and b (H,)"

    @staticmethod
    def forward(
        x: Array, weight_input: Array, weight_hidden: Array, bias: Array, *,
        counts: Sequence[int] | None = None, state: State | None = None,
    ) -> tuple[Array, Any]:  # fmt: skip
        steps = TimeSteps(x, counts, state)
        x_NI, sums = steps.input_sums(x, weight_input, bias)
        h = steps.states(len(weight_hidden), sums.dtype)
        product = np.empty((steps.rows, sums.shape[1]), sums.dtype)
        for step in steps:
            a = sums[step.now]
            if step.carried:
                a += np.matmul(h[step.before], weight_hidden, out=product[: step.rows])
            np.tanh(a, out=h[step.after])
        return steps.shaped(h[steps.rows :]), (x_NI, weight_input, weight_hidden, h, steps)

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array, ...]:
        x_NI, weight_input, weight_hidden, h, steps = saved
        y = h[steps.rows :]
        da = 1 - y * y  # the derivative of tanh; the loop multiplies it by dh
        dh = steps.state_gradients(dy)
        product = np.empty_like(dh[: steps.rows])
        for step in reversed(steps):
            da[step.now] *= dh[step.after]
            if step.carried:
                dh[step.before] += np.matmul(da[step.now], weight_hidden.T, out=product[: step.rows])
        dx = steps.shaped(da @ weight_input.T)
        return dx, x_NI.T @ da, steps.hidden_gradient(h, da), np.add.reduce(da, axis=0)
