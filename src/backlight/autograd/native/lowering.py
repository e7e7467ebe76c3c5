"""The lowering of each op: the kernels that it becomes, forward and backward, and the arrays that they read and write.

The order of the arguments n, f and p is documented above each kernel in the header that defines it (see kernels.c).
"""

from collections.abc import Callable

from backlight.autograd.native.emitting import MOST_COLUMNS, SCRATCH, Emitter, UnsuitableError, rows_of
from backlight.autograd.tensor import Tensor
from backlight.core import Array

Lowering = tuple[Callable[[Emitter, Tensor], None], Callable[[Emitter, Tensor], None]]


def _embed(to: Emitter, y: Tensor) -> None:
    (weight,) = y._prev
    R, C = weight.array.shape
    to.forward("embed", y, n=(C, R), p=(to.input(y, "ids"), to.numbers(weight), to.numbers(y)))


def _embed_back(to: Emitter, y: Tensor) -> None:
    (weight,) = y._prev
    R, C = weight.array.shape
    dweight, add = to.gradient_for(weight)
    to.backward("embed_back", y, n=(C, R, add), p=(to.input(y, "ids"), to.gradient(y), dweight))


def _product(y: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return the input, the weight, and the bias or None."""
    return (y._prev[0], y._prev[1], y._prev[2] if len(y._prev) > 2 else None)


def _linear(to: Emitter, y: Tensor) -> None:
    x, weight, bias = _product(y)
    if x.array.ndim < 2 or weight.array.ndim != 2:
        raise UnsuitableError("a matrix product other than rows times a matrix")
    p = (to.numbers(x), to.numbers(weight), None if bias is None else to.numbers(bias), to.numbers(y))
    to.forward("linear", y, n=weight.array.shape, p=p)


def _linear_back(to: Emitter, y: Tensor) -> None:
    x, weight, bias = _product(y)
    above = to.gradient(y)
    dbias, add_bias = to.gradient_for(bias)
    dweight, add_weight = to.gradient_for(weight)
    dx, add_x = to.gradient_for(x)
    p = (to.numbers(x), to.numbers(weight), above, dx, dweight, dbias)
    to.backward("linear_back", y, n=(*weight.array.shape, add_x, add_weight, add_bias), p=p)


def _elementwise(name: str, *, from_output: bool) -> Lowering:
    """Return the lowering of y = f(x), whose derivative is computed from y, or from x."""

    def forward(to: Emitter, y: Tensor) -> None:
        to.forward(name, y, n=y.array.shape[-1:], p=(to.numbers(y._prev[0]), to.numbers(y)))

    def backward(to: Emitter, y: Tensor) -> None:
        (x,) = y._prev
        dx, add = to.gradient_for(x)
        known = to.numbers(y if from_output else x)
        to.backward(f"{name}_back", y, n=(y.array.shape[-1], add), p=(known, to.gradient(y), dx))

    return forward, backward


def _reshape(to: Emitter, y: Tensor) -> None:
    (x,) = y._prev
    if not x._prev:
        raise UnsuitableError("a reshaped parameter")
    to.same_numbers(y, x)


def _reshape_back(to: Emitter, y: Tensor) -> None:
    to.hand_on(y, y._prev[0])


def _add(to: Emitter, y: Tensor) -> None:
    a, b = y._prev
    if a.array.shape != y.array.shape or y.array.shape[y.array.ndim - b.array.ndim :] != b.array.shape:
        raise UnsuitableError("a sum that broadcasts other than leading axes")
    p = (to.numbers(a), to.numbers(b), to.numbers(y))
    to.forward("add", y, n=(y.array.shape[-1], _period(a, b)), p=p)


def _add_back(to: Emitter, y: Tensor) -> None:
    a, b = y._prev
    # b first: it gets a copy or a sum of the gradient, whose array a may then take over
    to.hand_on(y, b, period=_period(a, b), copied=True)
    to.hand_on(y, a)


def _dropout(to: Emitter, y: Tensor) -> None:
    p, C = y._settings["p"], y.array.shape[-1]
    arrays = (to.numbers(y._prev[0]), to.drawn(y), to.numbers(y))
    to.forward("dropout", y, n=(C, 0), f=(p, 1 / (1 - p)), p=arrays)


def _dropout_back(to: Emitter, y: Tensor) -> None:
    p, C = y._settings["p"], y.array.shape[-1]
    dx, add = to.gradient_for(y._prev[0])
    to.backward("dropout", y, n=(C, add), f=(p, 1 / (1 - p)), p=(to.gradient(y), to.drawn(y), dx))


def _norm(name: str, *, by_row: bool) -> Lowering:
    """Return the lowering of a norm that saves the mean and the reciprocal deviation of each row, or of each column."""

    def saved(to: Emitter, y: Tensor, which: str) -> Array:
        return to.each_row(y, which, 1) if by_row else to.each_column(y, which)

    def forward(to: Emitter, y: Tensor) -> None:
        running = y._settings.get("running")
        p = [*map(to.numbers, y._prev), to.numbers(y), saved(to, y, "mean"), saved(to, y, "r")]
        if running is not None:
            p += [to.buffer(running.mean), to.buffer(running.variance)]
        f = (y._settings.get("eps", 1e-5), 0 if running is None else running.momentum)
        to.forward(name, y, n=y.array.shape[-1:], f=f, p=p)

    def backward(to: Emitter, y: Tensor) -> None:
        x, gain, _ = y._prev
        above = to.gradient(y)
        (dx, add_x), (dgain, add_gain), (dbias, add_bias) = map(to.gradient_for, y._prev)
        p: list[Array | str | None] = [to.numbers(x), to.numbers(gain), above, dx, dgain, dbias]
        p += [saved(to, y, "mean"), saved(to, y, "r")]
        if by_row:
            p.append(to.scratch_for_blocks(y, 2 * y.array.shape[-1]))
        to.backward(f"{name}_back", y, n=(y.array.shape[-1], add_x, add_gain, add_bias), p=p)

    return forward, backward


def _attention(to: Emitter, y: Tensor) -> None:
    at = to.attended(y)
    p = y._settings.get("p", 0.0)
    heads = y._settings["heads"]
    arrays = (to.numbers(y._prev[0]), to.numbers(y), at.weights, at.drawn, at.starts, at.sizes, SCRATCH)
    to.forward("attention", y, n=(y.array.shape[-1], heads), f=(p, 1 / (1 - p)), p=arrays)


def _attention_back(to: Emitter, y: Tensor) -> None:
    (qkv,) = y._prev
    at = to.attended(y)
    p = y._settings.get("p", 0.0)
    dqkv, add = to.gradient_for(qkv)
    arrays = (to.numbers(qkv), to.gradient(y), at.weights, at.drawn, at.starts, at.sizes, SCRATCH, dqkv)
    to.backward("attention_back", y, n=(y.array.shape[-1], y._settings["heads"], add), f=(p, 1 / (1 - p)), p=arrays)


def _recurrence(name: str, gates: int) -> Lowering:
    """Return the lowering of a recurrence over a packed batch."""

    def shared(to: Emitter, y: Tensor) -> list[Array | str | None]:
        x, W, U, b, d = (*y._prev, None)[:5]
        assert x is not None  # noqa: S101  (the first four are always there)
        if not to.is_input(y._settings.get("counts")) or y._settings.get("state") is not None:
            raise UnsuitableError("a recurrence without counts, or with an initial state")
        H = y.array.shape[-1]
        if gates * H > MOST_COLUMNS:
            raise UnsuitableError(f"gates of {H} units")
        u = {"rnn": 0, "gru": 3 * H, "lstm": H}[name]
        weights = [None if weight is None else to.numbers(weight) for weight in (W, U, b, d)]
        return [
            to.numbers(x), *weights, to.numbers(y), to.each_row(y, "gates", gates * H), to.each_row(y, "u", u),
            to.each_row(y, "tanh c", H if name == "lstm" else 0), to.starts, to.sizes, None,
        ]  # fmt: skip

    def forward(to: Emitter, y: Tensor) -> None:
        to.forward(name, y, n=(y._prev[0].array.shape[-1], y.array.shape[-1]), p=shared(to, y))

    def backward(to: Emitter, y: Tensor) -> None:
        above, H = to.gradient(y), y.array.shape[-1]
        written = [to.gradient_for(parent) for parent in (*y._prev, None)[:5]]
        rooms = {"da": gates * H, "dah": gates * H if name == "gru" else 0, "dh": H, "dc": H if name == "lstm" else 0}
        room = [to.each_row(y, which, size) if size else None for which, size in {**rooms, "before": H}.items()]
        n = (y._prev[0].array.shape[-1], H, *[add for _, add in written])
        p = [*shared(to, y), above, *[array for array, _ in written], *room]
        to.backward(f"{name}_back", y, n=n, p=p)

    return forward, backward


def _cross_entropy(to: Emitter, loss: Tensor) -> None:
    (z,) = loss._prev
    if loss is not to.end:
        raise UnsuitableError("a cross entropy that is not the end of the graph")
    probabilities = to.each_row(z, "p", z.array.shape[-1])
    p = (to.numbers(z), to.input(loss, "targets"), probabilities, to.loss, to.count, to.each_row(z, "nats", 1))
    to.forward("cross_entropy", z, n=z.array.shape[-1:], p=p)


def _cross_entropy_back(to: Emitter, loss: Tensor) -> None:
    (z,) = loss._prev
    dz, _ = to.gradient_for(z)
    p = (to.each_row(z, "p", z.array.shape[-1]), to.input(loss, "targets"), dz, to.count)
    to.backward("cross_entropy_back", z, n=z.array.shape[-1:], p=p)


def _period(a: Tensor, b: Tensor) -> int:
    """Return the number of rows of b if it is repeated, else 0."""
    return 0 if a.array.shape == b.array.shape else rows_of(b.array)


LOWERINGS: dict[str, Lowering] = {
    "embed": (_embed, _embed_back),
    "linear": (_linear, _linear_back),
    "matmul": (_linear, _linear_back),
    "tanh": _elementwise("tanh", from_output=True),
    "relu": _elementwise("relu", from_output=True),
    "gelu": _elementwise("gelu", from_output=False),
    "reshape": (_reshape, _reshape_back),
    "add": (_add, _add_back),
    "dropout": (_dropout, _dropout_back),
    "batch_norm": _norm("batch_norm", by_row=False),
    "layer_norm": _norm("layer_norm", by_row=True),
    "causal_attention": (_attention, _attention_back),
    "rnn": _recurrence("rnn", 1),
    "gru": _recurrence("gru", 3),
    "lstm": _recurrence("lstm", 4),
    "cross_entropy": (_cross_entropy, _cross_entropy_back),
}
"""The functions that emit the forward and backward kernels of an op, by its name. Other ops need NumPy."""
