"""Long short-term memory: all time steps in one op."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from backlight.autograd.op import Op
from backlight.autograd.ops.recurrence import State, TimeSteps, sigmoid_in_place
from backlight.core import Array


class LSTM(Op):
    """c[t] = f c[t-1] + i g, h[t] = o tanh(c[t]), with forget gate f, input gate i, candidate g and output gate o.

    x (B, T, I) gives h (B, T, H), with W (I, 4H), U (H, 4H) and b (4H,), each for i, f, g, o, concatenated. With
    `counts`, x (N, I) gives h (N, H). The initial h and c are 0, or `state`, which gets no gradient. With
    `with_cell`, y is (B, T + 1, H): h of all steps, then the last c.
    Source: Hochreiter & Schmidhuber 1997; the forget gate f: Gers, Schmidhuber & Cummins 2000.
    """

    name = "lstm"
    formula = (
        "h[t] = o tanh c[t], c[t] = f c[t-1] + i g, i, f, o = sigmoid(x W + h[t-1] U + b), g = tanh(...);  "
        "dc += dh o (1 - tanh² c);  da_i = dc g i (1 - i);  da_f = dc c[t-1] f (1 - f);  da_g = dc i (1 - g²);  "
        "da_o = dh tanh(c) o (1 - o);  dc[t-1] = dc f;  dh[t-1] += da Uᵀ"
    )
    fits = "x (B, T, I), W (I, 4H), U (H, 4H) and b (4H,)"

    @staticmethod
    def forward(
        x: Array, weight_input: Array, weight_hidden: Array, bias: Array, *,
        counts: Sequence[int] | None = None, state: State | None = None, with_cell: bool = False,
    ) -> tuple[Array, Any]:  # fmt: skip
        H = len(weight_hidden)
        steps = TimeSteps(x, counts, state)
        x_NI, gates = steps.input_sums(x, weight_input, bias)
        h = steps.states(H, gates.dtype)
        c = steps.states(H, gates.dtype)
        tanh_c = np.empty((steps.total, H), gates.dtype)
        product = np.empty((steps.rows, 4 * H), gates.dtype)
        for step in steps:
            a, cell, part = gates[step.now], c[step.after], product[: step.rows]
            if step.carried:
                a += np.matmul(h[step.before], weight_hidden, out=part)
            i, f, g, o = a[:, :H], a[:, H : 2 * H], a[:, 2 * H : 3 * H], a[:, 3 * H :]
            sigmoid_in_place(a[:, : 2 * H])
            np.tanh(g, out=g)
            sigmoid_in_place(o)
            np.multiply(f, c[step.before], out=cell)
            cell += np.multiply(i, g, out=part[:, :H])
            np.tanh(cell, out=tanh_c[step.now])
            np.multiply(o, tanh_c[step.now], out=h[step.after])
        y = steps.shaped(h[steps.rows :])
        if with_cell:
            y = np.concatenate([y, steps.last_state()[1][:, None]], axis=1)
        return y, (x_NI, weight_input, weight_hidden, gates, c, tanh_c, h, steps)

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array, ...]:
        x_NI, weight_input, weight_hidden, gates, c, tanh_c, h, steps = saved
        H = len(weight_hidden)
        f, o = gates[:, H : 2 * H], gates[:, 3 * H :]
        da = _slopes(gates, steps.before(c), tanh_c)
        dc_dh = o * (1 - tanh_c * tanh_c)
        with_cell = dy.ndim == 3 and dy.shape[1] > len(steps.counts)
        dh = steps.state_gradients(dy[:, :-1] if with_cell else dy)
        dc = np.zeros_like(dh)
        if with_cell:
            dc[len(dc) - steps.rows :] = dy[:, -1]
        product = np.empty_like(dh[: steps.rows])
        da_N4H = da.reshape(steps.total, 4, H)
        for step in reversed(steps):
            above, cell, part = dh[step.after], dc[step.after], product[: step.rows]
            cell += np.multiply(above, dc_dh[step.now], out=part)
            da_N4H[step.now, :3] *= cell[:, None]
            da_N4H[step.now, 3] *= above
            if step.carried:
                np.multiply(cell, f[step.now], out=dc[step.before])
                dh[step.before] += np.matmul(da[step.now], weight_hidden.T, out=part)
        dx = steps.shaped(da @ weight_input.T)
        return dx, x_NI.T @ da, steps.hidden_gradient(h, da), np.add.reduce(da, axis=0)


def _slopes(gates: Array, c_before: Array, tanh_c: Array) -> Array:
    """Return (N, 4H), the derivatives of c with respect to the sums of i, f and g, and of h with respect to o's."""
    H = tanh_c.shape[1]
    i, g = gates[:, :H], gates[:, 2 * H : 3 * H]
    slopes: Array = gates * (1 - gates)  # the sigmoid's derivative, for i, f and o
    slopes[:, :H] *= g
    slopes[:, H : 2 * H] *= c_before
    slopes[:, 2 * H : 3 * H] = i * (1 - g * g)
    slopes[:, 3 * H :] *= tanh_c
    return slopes
