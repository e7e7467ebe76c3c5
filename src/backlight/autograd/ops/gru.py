"""The gated recurrent unit: all time steps in one op."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from backlight.autograd.op import Op
from backlight.autograd.ops.recurrence import State, TimeSteps, sigmoid_in_place
from backlight.core import Array


class GRU(Op):
    """h[t] = (1 - z) n + z h[t-1], with update gate z, reset gate r and candidate n.

    x (B, T, I) gives h (B, T, H), with W (I, 3H), U (H, 3H) and biases b, d (3H,), each for r, z, n, concatenated. With
    `counts`, x (N, I) gives h (N, H). The initial state is 0, or `state`, which gets no gradient. The gate r multiplies
    h U + d, as in `torch.nn.GRU`, so that the three hidden products are one; in the paper it multiplies h.
    Source: Cho et al. 2014, arXiv:1406.1078, section 2.3.
    """

    name = "gru"
    formula = (
        "h[t] = (1 - z) n + z h[t-1], r, z = sigmoid(x W + b + h[t-1] U + d), n = tanh(x Wₙ + bₙ + r m), "
        "m = h[t-1] Uₙ + dₙ;  "
        "da_n = dh (1 - z)(1 - n²);  da_z = dh (h[t-1] - n) z (1 - z);  da_r = da_n m r (1 - r);  dm = da_n r;  "
        "dh[t-1] += dh z + (da_r, da_z, dm) Uᵀ"
    )
    fits = "x (B, T, I), W (I, 3H), U (H, 3H), b (3H,) and d (3H,)"

    @staticmethod
    def forward(
        x: Array, weight_input: Array, weight_hidden: Array, bias_input: Array, bias_hidden: Array, *,
        counts: Sequence[int] | None = None, state: State | None = None,
    ) -> tuple[Array, Any]:  # fmt: skip
        H = len(weight_hidden)
        steps = TimeSteps(x, counts, state)
        x_NI, gates = steps.input_sums(x, weight_input, bias_input)
        gates[:, : 2 * H] += bias_hidden[: 2 * H]
        m = np.empty((steps.total, H), gates.dtype)
        m[...] = bias_hidden[2 * H :]
        h = steps.states(H, gates.dtype)
        product = np.empty((steps.rows, 3 * H), gates.dtype)
        for step in steps:
            before, after = h[step.before], h[step.after]
            rz, n = gates[step.now, : 2 * H], gates[step.now, 2 * H :]
            hidden = m[step.now]
            part = product[: step.rows]
            if step.carried:
                np.matmul(before, weight_hidden, out=part)
                rz += part[:, : 2 * H]
                hidden += part[:, 2 * H :]
            sigmoid_in_place(rz)
            n += np.multiply(rz[:, :H], hidden, out=part[:, :H])
            np.tanh(n, out=n)
            np.subtract(before, n, out=after)  # (1 - z) n + z h = n + z (h - n)
            after *= rz[:, H:]
            after += n
        return steps.shaped(h[steps.rows :]), (x_NI, weight_input, weight_hidden, gates, m, h, steps)

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array, ...]:
        x_NI, weight_input, weight_hidden, gates, m, h, steps = saved
        H = len(weight_hidden)
        r, z, n = gates[:, :H], gates[:, H : 2 * H], gates[:, 2 * H :]
        # da holds the derivatives of h with respect to the sums of the gates; the loop multiplies them by dh. For the
        # candidate it holds dm, the gradient of its hidden part, which is what the loop propagates.
        slope_n = (1 - z) * (1 - n * n)
        da = np.empty_like(gates)
        da_r, da_z, dm = da[:, :H], da[:, H : 2 * H], da[:, 2 * H :]
        np.multiply(slope_n, r, out=dm)
        np.multiply(dm, m, out=da_r)
        da_r *= 1 - r
        np.subtract(steps.before(h), n, out=da_z)
        da_z *= z
        da_z *= 1 - z
        dh = steps.state_gradients(dy)
        product = np.empty_like(dh[: steps.rows])
        da_N3H = da.reshape(steps.total, 3, H)
        for step in reversed(steps):
            above = dh[step.after]
            da_N3H[step.now] *= above[:, None]
            if step.carried:
                part = product[: step.rows]
                dh[step.before] += np.multiply(above, z[step.now], out=part)
                dh[step.before] += np.matmul(da[step.now], weight_hidden.T, out=part)
        dweight_hidden = steps.hidden_gradient(h, da)
        dbias_hidden = np.add.reduce(da, axis=0)
        # dm = da_n r was for the hidden side; the input side needs da_n
        np.multiply(dh[steps.rows :], slope_n, out=dm)
        dx = steps.shaped(da @ weight_input.T)
        return dx, x_NI.T @ da, dweight_hidden, np.add.reduce(da, axis=0), dbias_hidden
