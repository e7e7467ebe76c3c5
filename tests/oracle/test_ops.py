"""Every op against PyTorch's own, forward and backward, and against central differences. A case is a line.

The gradient from above is Gaussian, never ones: with ones, a softmax or variance gradient that is zeroed or
negated passes.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch.nn import functional as F  # noqa: N812  (its usual name)

from backlight.autograd import OPS
from backlight.autograd.ops.attention import Places

Array = Any
Make = Callable[[np.random.Generator], Array]


def positive(*shape: int) -> Make:
    return lambda rng: np.abs(rng.standard_normal(shape)) + 0.3


def away_from_0(*shape: int) -> Make:
    """Return numbers of both signs that are not near 0, where division and kinks are."""
    return lambda rng: np.sign(x := rng.standard_normal(shape)) * (np.abs(x) + 0.3)


def signs(*shape: int) -> Make:
    return lambda rng: rng.choice([-1.0, 1.0], shape)


def exactly(*numbers: Any) -> Make:
    return lambda _: np.array(numbers, float)


@dataclass(frozen=True)
class Case:
    """An op, the shapes (or makers) of its inputs, its settings, and the same thing in PyTorch."""

    op: str
    inputs: tuple[Any, ...]
    twin: Callable[..., torch.Tensor]
    settings: dict[str, Any] = field(default_factory=dict)
    smooth: bool = True
    """False where central differences have nothing to say: at a kink, or below a dtype's resolution."""

    def __str__(self) -> str:
        shapes = ",".join("x".join(map(str, i)) or "number" if isinstance(i, tuple) else "made" for i in self.inputs)
        settings = ",".join(f"{k}={np.shape(v) if isinstance(v, np.ndarray) else v}" for k, v in self.settings.items())
        return f"{self.op}-{shapes}-{settings}"

    def make(self, rng: np.random.Generator) -> list[Array]:
        return [np.asarray(i(rng) if callable(i) else rng.standard_normal(i)) for i in self.inputs]

    def forward(self, arrays: list[Array]) -> tuple[Array, Any]:
        return OPS[self.op].forward(*arrays, **self.settings)


def line(op: str, *inputs: Any, twin: Callable[..., torch.Tensor], smooth: bool = True, **settings: Any) -> Case:
    return Case(op, inputs, twin, settings, smooth)


def ids(*numbers: Any) -> Array:
    return np.array(numbers)


def mask(*shape: int) -> Array:
    return np.random.default_rng(len(shape) + sum(shape)).random(shape) < 0.5


# fmt: off
def _binary() -> list[Case]:
    """All four directions of broadcasting, numbers by themselves, and axes of length 0 and 1."""
    shapes = [
        ((3, 4), (3, 4)), ((3, 4), (4,)), ((4,), (3, 4)), ((3, 1), (1, 4)), ((3, 4), ()), ((), (2, 3)), ((), ()),
        ((2, 1, 3), (4, 1)), ((1, 1), (3,)), ((0, 3), (1, 3)), ((1,), (1, 1, 1)),
    ]
    cases = []
    for a, b in shapes:
        cases += [
            line("add", a, b, twin=torch.add),
            line("sub", a, b, twin=torch.sub),
            line("mul", a, b, twin=torch.mul),
            line("div", a, away_from_0(*b), twin=torch.div),
            line("pow", positive(*a), b, twin=torch.pow),
        ]
    return cases


def _elementwise() -> list[Case]:
    cases = []
    for shape in [(), (5,), (2, 3), (1, 1), (0, 2)]:
        cases += [
            line("neg", shape, twin=torch.neg),
            line("exp", shape, twin=torch.exp),
            line("log", positive(*shape), twin=torch.log),
            line("tanh", shape, twin=torch.tanh),
            line("relu", away_from_0(*shape), twin=torch.relu),
            line("sigmoid", shape, twin=torch.sigmoid),
            line("gelu", shape, twin=lambda a: F.gelu(a, approximate="tanh")),
            line("sqrt", positive(*shape), twin=torch.sqrt),
            line("abs", away_from_0(*shape), twin=torch.abs),
            line("sin", shape, twin=torch.sin),
            line("cos", shape, twin=torch.cos),
        ]
    return cases


def _reductions() -> list[Case]:
    cases = []
    for shape, axes in [((), None), ((4,), (0,)), ((3, 4), None), ((3, 4), (0,)), ((3, 4), (1,)), ((2, 3, 4), (0, 2)),
                        ((2, 1, 3), (1,)), ((2, 3, 1), (2,)), ((2, 3, 4), (0, 1, 2)), ((2, 3, 4), (1,))]:
        for keep in (False, True):
            over = {"axes": axes, "keepdims": keep}
            dim = {"dim": tuple(range(len(shape))) if axes is None else axes, "keepdim": keep}
            cases += [
                line("sum", shape, twin=lambda a, dim=dim: a.sum(**dim), **over),
                line("mean", shape, twin=lambda a, dim=dim: a.mean(**dim), **over),
                line("extreme", shape, twin=lambda a, dim=dim: a.amax(**dim), largest=True, **over),
                line("extreme", shape, twin=lambda a, dim=dim: a.amin(**dim), largest=False, **over),
            ]
            if np.prod([shape[a] for a in (range(len(shape)) if axes is None else axes)]) > 1:
                for c in (0, 1):
                    cases += [
                        line("var", shape, twin=lambda a, d=dim, c=c: a.var(correction=c, **d), correction=c, **over),
                        line("std", shape, twin=lambda a, d=dim, c=c: a.std(correction=c, **d), correction=c, **over),
                    ]
    return cases


def _through_time(unroll: Any, biases: int, *states: Array, counts: Any = None) -> Callable[..., torch.Tensor]:
    """Return what `torch.nn.GRU` and its like call, with our layout, one bias or two, and perhaps a first state."""
    def twin(x: torch.Tensor, w: torch.Tensor, u: torch.Tensor, *b: torch.Tensor) -> torch.Tensor:
        parameters = (w.T, u.T, *b, *[torch.zeros_like(b[0])] * (2 - biases))
        zeros = torch.zeros(1, counts[0] if counts else len(x), len(u), dtype=x.dtype)
        first = [torch.tensor(state)[None] for state in states] or [zeros] * (2 if unroll is torch.lstm else 1)
        hidden = tuple(first) if unroll is torch.lstm else first[0]
        settings = (parameters, True, 1, 0.0, False, False)
        if counts:
            return unroll(x, torch.tensor(counts), hidden, *settings)[0]
        return unroll(x, hidden, *settings, True)[0]
    return twin


def _recurrences() -> list[Case]:
    """One row, one step, one unit; rows that end early; a first state that is not 0; saturated gates."""
    cases = []
    state = tuple(np.random.default_rng(n).standard_normal((3, 5)) for n in (1, 2))
    for op, unroll, G, biases in [("rnn", torch.rnn_tanh, 1, 1), ("gru", torch.gru, 3, 2), ("lstm", torch.lstm, 4, 1)]:
        def weights(I: int, H: int, G: int = G, biases: int = biases) -> list[tuple[int, ...]]:
            return [(I, G * H), (H, G * H), *[(G * H,)] * biases]

        twin = _through_time(unroll, biases)
        for B, T, I, H in [(3, 4, 2, 5), (1, 5, 3, 2), (4, 1, 3, 5), (1, 1, 1, 1), (2, 7, 1, 3)]:
            cases.append(line(op, (B, T, I), *weights(I, H), twin=twin))
        for counts in [(3, 3, 2, 1, 1), (3, 3, 3), (4, 1), (1,), (5,)]:
            packed = _through_time(unroll, biases, counts=counts)
            cases.append(line(op, (sum(counts), 2), *weights(2, 5), twin=packed, counts=counts))
        first = state[: 1 + (op == "lstm")]
        cases += [
            line(op, (3, 4, 2), *weights(2, 5), twin=_through_time(unroll, biases, *first), state=first),
            line(op, (6, 2), *weights(2, 5), twin=_through_time(unroll, biases, *first, counts=(3, 2, 1)), state=first,
                 counts=(3, 2, 1)),
            line(op, lambda rng: 30 * rng.standard_normal((2, 3, 2)), *weights(2, 3), twin=twin, smooth=False),
        ]
    return cases


def attend(qkv: torch.Tensor, heads: int) -> torch.Tensor:
    q, k, v = qkv.unflatten(-1, (3, heads, -1)).permute(2, 0, 3, 1, 4)
    return F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2)


def attend_some(qkv: torch.Tensor, heads: int, places: Places) -> torch.Tensor:
    """Spread the rows over a batch whose other rows are not 0, so that none of those may be read."""
    whole = torch.full((places.shape[0] * places.shape[1], qkv.shape[-1]), 7.0, dtype=qkv.dtype)
    rows = torch.from_numpy(places.rows)
    y = attend(whole.index_put((rows,), qkv).unflatten(0, places.shape), heads)
    return y.flatten(0, 1)[rows]


def attend_dropped(qkv: torch.Tensor, heads: int, kept: Array, p: float) -> torch.Tensor:
    """PyTorch draws what it drops by itself, so its softmax stands here; ours keeps a row for each key."""
    q, k, v = qkv.unflatten(-1, (3, heads, -1)).permute(2, 0, 3, 1, 4)
    future = torch.ones(q.shape[-2], q.shape[-2], dtype=torch.bool).triu(1)
    weights = (q @ k.mT / q.shape[-1] ** 0.5).masked_fill(future, -torch.inf).softmax(-1)
    return (weights * torch.from_numpy(kept).mT / (1 - p) @ v).transpose(1, 2).flatten(2)


def convolve(x: torch.Tensor, w: torch.Tensor, b: torch.Tensor, dilation: int) -> torch.Tensor:
    padded = F.pad(x.mT, (dilation * (len(w) - 1), 0))
    return F.conv1d(padded, w.permute(2, 1, 0), b, dilation=dilation).mT


_some = Places((3, 5), ids(0, 1, 2, 3, 4, 5, 10, 11, 12))
_mask_34, _mask_4, _mask_234 = mask(3, 4), mask(4), mask(2, 3, 4)

CASES = [
    *_binary(),
    *_elementwise(),
    *_reductions(),
    *_recurrences(),
    # -- at the edges of a domain --------------------------------------------------------------------------------------
    line("relu", exactly(-1, 0, 1), twin=torch.relu, smooth=False),
    line("abs", exactly(-1, 0, 1), twin=torch.abs, smooth=False),
    line("log", exactly(1e-300, 1e300), twin=torch.log, smooth=False),
    line("sqrt", exactly(0, 4), twin=torch.sqrt, smooth=False),
    line("exp", exactly(-1000, 710, 1), twin=torch.exp, smooth=False),
    line("tanh", exactly(-1000, -20, 20, 1000), twin=torch.tanh),
    line("sigmoid", exactly(-1000, -40, -20, 20, 1000), twin=torch.sigmoid),
    line("div", exactly(1, -1, 0), exactly(0, 0, 0), twin=torch.div, smooth=False),
    line("pow", exactly(0, 0, 2), exactly(0, 2, 0), twin=torch.pow, smooth=False),
    line("std", exactly(2, 2, 2), twin=torch.std, smooth=False),
    line("extreme", exactly(3, 1, 3, 3), twin=torch.amax, smooth=False),
    line("extreme", exactly([1, 1], [2, 1]), twin=lambda a: a.amin(1), axes=(1,), largest=False, smooth=False),
    # -- powers with a fixed exponent ----------------------------------------------------------------------------------
    *[line("pow_constant", away_from_0(2, 3), twin=lambda a, n=n: a**n, exponent=n) for n in (-2, -1, 0, 1, 2, 3)],
    *[line("pow_constant", positive(2, 3), twin=lambda a, n=n: a**n, exponent=n) for n in (-0.5, 0.5, 1.5, 2.0)],
    line("pow_constant", (), twin=lambda a: a**2, exponent=2),
    line("pow_constant", exactly(0, 1), twin=lambda a: a**0, exponent=0),
    line("pow_constant", exactly(0, 1), twin=lambda a: a**3, exponent=3),
    line("pow_constant", exactly(0, 4), twin=lambda a: a**0.5, exponent=0.5, smooth=False),
    # -- dtypes --------------------------------------------------------------------------------------------------------
    line("cast", (2, 3), twin=lambda a: a.to(torch.float64), dtype=np.float64),
    line("cast", (2, 3), twin=lambda a: a.to(torch.float32), dtype=np.float32, smooth=False),
    # -- matrices ------------------------------------------------------------------------------------------------------
    *[
        line("matmul", a, b, twin=torch.matmul)
        for a, b in [
            ((3, 4), (4, 2)), ((4,), (4,)), ((4,), (4, 2)), ((3, 4), (4,)), ((2, 3, 4), (4, 5)), ((2, 3, 4), (2, 4, 5)),
            ((2, 1, 3, 4), (3, 4, 2)), ((3, 4), (2, 4, 5)), ((1, 3, 4), (2, 4, 5)), ((4,), (2, 4, 3)),
            ((2, 3, 4), (4,)), ((1, 1), (1, 1)), ((0, 4), (4, 2)), ((3, 0), (0, 2)),
        ]
    ],
    *[
        line("linear", x, (4, 3), (3,), twin=lambda x, w, b: F.linear(x, w.T, b))
        for x in [(4,), (2, 4), (2, 3, 4), (1, 1, 4), (0, 4)]
    ],
    # -- shapes --------------------------------------------------------------------------------------------------------
    line("reshape", (2, 6), twin=lambda a: a.reshape(3, 4), shape=(3, 4)),
    line("reshape", (2, 6), twin=lambda a: a.reshape(-1, 3, 2), shape=(-1, 3, 2)),
    line("reshape", (), twin=lambda a: a.reshape(1, 1), shape=(1, 1)),
    line("reshape", (1, 1), twin=lambda a: a.reshape(()), shape=()),
    line("permute", (2, 3, 4), twin=lambda a: a.permute(1, 2, 0), order=(1, 2, 0)),
    line("permute", (2, 3, 4), twin=lambda a: a.permute(2, 0, 1), order=(2, 0, 1)),
    line("permute", (2, 3), twin=lambda a: a.T, order=(1, 0)),
    line("permute", (), twin=lambda a: a.permute(()), order=()),
    line("expand", (3, 1), twin=lambda a: a.expand(3, 4), shape=(3, 4)),
    line("expand", (1, 3), twin=lambda a: a.expand(2, 5, 3), shape=(2, 5, 3)),
    line("expand", (), twin=lambda a: a.expand(2, 2), shape=(2, 2)),
    line("cat", (2, 3), (1, 3), (4, 3), twin=lambda *a: torch.cat(a, 0), axis=0),
    line("cat", (2, 3), (2, 1), twin=lambda *a: torch.cat(a, -1), axis=-1),
    line("cat", (2, 1, 3), (2, 2, 3), (2, 0, 3), twin=lambda *a: torch.cat(a, 1), axis=1),
    line("cat", (3,), twin=lambda *a: torch.cat(a, 0), axis=0),
    line("stack", (2, 3), (2, 3), twin=lambda *a: torch.stack(a, 0), axis=0),
    line("stack", (2, 3), (2, 3), (2, 3), twin=lambda *a: torch.stack(a, 1), axis=1),
    line("stack", (2, 3), (2, 3), twin=lambda *a: torch.stack(a, -1), axis=-1),
    line("stack", (), (), (), twin=lambda *a: torch.stack(a, 0), axis=0),
    *[
        line("where", a, b, twin=lambda a, b, c=c: torch.where(torch.from_numpy(c), a, b), condition=c)
        for a, b, c in [((3, 4), (3, 4), _mask_34), ((4,), (3, 1), _mask_34), ((), (3, 4), _mask_4), ((), (), _mask_34)]
    ],
    *[
        line("masked_fill", a, twin=lambda a, m=m, v=v: a.masked_fill(torch.from_numpy(m), v), mask=m, value=v)
        for a, m, v in [((3, 4), _mask_34, 0.0), ((3, 4), _mask_4, 7.5), ((2, 3, 4), _mask_34, -1.0),
                        ((4,), _mask_34, 2.0), ((3, 1), _mask_234, 0.0)]
    ],
    *[
        line("triangle", s, twin=lambda a, k=k, f=f: f(a, k), k=k, lower=f is torch.tril)
        for s, k in [((3, 3), 0), ((3, 4), 1), ((4, 3), -1), ((2, 3, 3), 0), ((1, 1), 0), ((2, 2), 5)]
        for f in (torch.tril, torch.triu)
    ],
    # -- picking out ---------------------------------------------------------------------------------------------------
    *[
        line("index", shape, twin=lambda a, i=index: a[i], index=index)
        for shape, index in [
            ((4,), 2), ((4,), -1), ((3, 4), 1), ((3, 4), (1, 2)), ((3, 4), (slice(None), 1)), ((5, 4), slice(1, 4)),
            ((5, 4), (slice(None, None, 2), slice(-2, None))), ((3, 4), (None, slice(None), None, 2)),
            ((2, 3, 4), (..., 0)), ((2, 3, 4), (1, ..., slice(2))), ((3, 4), slice(0, 0)),
            ((3, 4), None), ((3, 4), Ellipsis),
            ((5,), ids(0, 3, 3, 3, -2)), ((5, 2), ids([0, 1], [1, 1])), ((5, 2, 2), ids(4, 4)),
            ((3, 4), (ids(0, 1, 1), ids(2, 3, 3))), ((3, 4), (ids([0], [2]), ids(1, 1, 3))),
            ((3, 4), (slice(None), ids(1, 1, 0))), ((3, 4), (1, ids(1, 1))),
            ((2, 3, 4), (ids(1, 1), slice(None), ids(2, 2))), ((2, 3, 4), (slice(1), ids(2, 2, 0), 3)),
            ((3, 4), _mask_34), ((3, 4), mask(3)), ((3, 4), (slice(None), _mask_4)),
            ((2, 3, 4), (1, _mask_34)), ((3, 4), ids(2)[:0]),
        ]
    ],
    *[
        line("embed", w, twin=lambda w, i=i: F.embedding(torch.from_numpy(i), w), ids=i)
        for w, i in [((5, 3), ids(0, 4, 4, 4)), ((5, 3), ids([0, 1], [1, 1])), ((1, 2), ids(0, 0)),
                     ((200, 2), ids(7, 7, 199)), ((5, 3), np.array(3)), ((3, 2), ids(1)[:0]), ((3, 1), ids([[0], [2]]))]
    ],
    *[
        line("pick_along", (3, 4), twin=lambda a, i=i, d=d: torch.gather(a, d, torch.from_numpy(i)), indices=i, axis=d)
        for i, d in [(ids([1], [0], [3]), 1), (ids([2, 0, 1, 1]), 0), (ids([1], [1], [2]), -1)]
    ],
    *[
        line("cumsum", s, twin=lambda a, d=d: a.cumsum(d), axis=d)
        for s, d in [((4,), 0), ((3, 4), 0), ((3, 4), -1), ((2, 3, 4), 1), ((2, 1), 1), ((0, 2), 0)]
    ],
    # -- normalisation and chance --------------------------------------------------------------------------------------
    *[
        line("batch_norm", (*n, 5), (5,), (5,), twin=lambda x, g, b: F.batch_norm(
            x.reshape(-1, 5), None, None, g, b, training=True).reshape(x.shape))
        for n in [(2,), (7,), (3, 4), (2, 3, 2), (1, 2)]
    ],
    line("batch_norm", (3, 1), (1,), (1,), eps=0.1,
         twin=lambda x, g, b: F.batch_norm(x, None, None, g, b, training=True, eps=0.1)),
    line("batch_norm", exactly([2, 1], [2, 3], [2, 5]), (2,), (2,), smooth=False,  # a channel that does not vary
         twin=lambda x, g, b: F.batch_norm(x, None, None, g, b, training=True)),
    *[
        line("layer_norm", (*n, 5), (5,), (5,), twin=lambda x, g, b: F.layer_norm(x, (5,), g, b))
        for n in [(), (1,), (7,), (3, 4), (2, 3, 2), (0,)]
    ],
    line("layer_norm", (3, 2), (2,), (2,), twin=lambda x, g, b: F.layer_norm(x, (2,), g, b, eps=0.1), eps=0.1),
    line("layer_norm", (3, 1), (1,), (1,), twin=lambda x, g, b: F.layer_norm(x, (1,), g, b)),
    *[
        line("dropout", m.shape, twin=lambda x, m=m, p=p: x * torch.from_numpy(m) / (1 - p), kept=m, p=p)
        for m, p in [(_mask_34, 0.5), (_mask_234, 0.1), (_mask_4, 0.0)]
    ],
    # -- attention and convolution -------------------------------------------------------------------------------------
    *[
        line("causal_attention", (B, T, 3 * C), twin=lambda a, h=h: attend(a, h), heads=h)
        for B, T, C, h in [(2, 5, 6, 3), (1, 1, 4, 2), (3, 7, 5, 1), (1, 2, 3, 3), (2, 16, 4, 2)]
    ],
    line("causal_attention", lambda rng: 30 * rng.standard_normal((2, 5, 12)), twin=lambda a: attend(a, 2), heads=2,
         smooth=False),
    *[
        line("causal_attention", (9, 12), twin=lambda a, h=h: attend_some(a, h, _some), heads=h, places=_some)
        for h in (1, 2)
    ],
    *[
        line("causal_attention", (B, T, 12), heads=2, kept=k, p=p,
             twin=lambda a, k=k, p=p: attend_dropped(a, 2, k, p))
        for B, T, k, p in [(2, 3, mask(2, 2, 3, 3), 0.5), (1, 5, mask(1, 2, 5, 5), 0.2)]
    ],
    *[
        line("causal_conv1d", (B, T, i), (K, i, o), (o,), twin=lambda x, w, b, d=d: convolve(x, w, b, d), dilation=d)
        for B, T, i, K, o, d in [(2, 8, 3, 2, 4, 1), (2, 8, 3, 2, 4, 4), (1, 5, 1, 3, 2, 2), (3, 4, 2, 1, 5, 3),
                                 (2, 3, 2, 3, 1, 2), (1, 1, 2, 2, 2, 8)]
    ],
    # -- probabilities and losses --------------------------------------------------------------------------------------
    *[
        line(op, s, twin=lambda z, d=d, f=f: f(z, d), axis=d)
        for op, f in [("softmax", torch.softmax), ("log_softmax", torch.log_softmax)]
        for s, d in [((5,), 0), ((3, 5), -1), ((3, 5), 0), ((2, 3, 4), 1), ((2, 3, 4), -1), ((3, 1), -1)]
    ],
    line("softmax", exactly([1000, 1001, -1000]), twin=lambda z: z.softmax(-1), axis=-1),
    line("softmax", exactly([0.5, -np.inf, 1]), twin=lambda z: z.softmax(-1), axis=-1, smooth=False),
    line("log_softmax", exactly([1000, 1001, -1000]), twin=lambda z: z.log_softmax(-1), axis=-1, smooth=False),
    *[
        line("cross_entropy", z, targets=y, twin=lambda z, y=y: F.cross_entropy(
            z.reshape(-1, z.shape[-1]), torch.from_numpy(y.reshape(-1)), ignore_index=-1))
        for z, y in [((4, 5), ids(0, 4, 4, 2)), ((4, 5), ids(0, -1, 4, -1)), ((2, 3, 5), ids([0, 1, 4], [3, 3, 3])),
                     ((2, 3, 5), ids([0, -1, -1], [-1, 3, 3])), ((5,), np.array(2)), ((1, 1), ids(0)),
                     ((3, 2), ids(-1, -1, 1)), ((2, 2, 2, 3), ids([[0, 1], [-1, 2]], [[0, 0], [1, -1]]))]
    ],
    line("cross_entropy", exactly([900, -900, 0], [0, 0, 0]), targets=ids(1, 2),
         twin=lambda z: F.cross_entropy(z, torch.tensor([1, 2])), smooth=False),
    *[line("mse", s, s, twin=F.mse_loss) for s in [(), (4,), (3, 2), (1, 1)]],
    *[
        line("hinge", s, signs(*s), twin=lambda x, y: F.margin_ranking_loss(x, torch.zeros_like(x), y, margin=1))
        for s in [(6,), (3, 1), (1,), ()]
    ],
]
# fmt: on

SMOOTH = [case for case in CASES if case.smooth]
FREE_OF_DTYPE = [case for case in CASES if "dtype" not in case.settings]


def _gaussian_like(out: Array, rng: np.random.Generator) -> Array:
    return np.asarray(rng.standard_normal(np.shape(out)), out.dtype)


def test_no_op_lacks_a_case() -> None:
    ours = {name for name, op in OPS.items() if op.__module__.startswith("backlight.autograd.")}
    assert ours == {case.op for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_forward_and_backward_match_torch(case: Case, rng: np.random.Generator) -> None:
    arrays = case.make(rng)
    out, saved = case.forward(arrays)
    dout = _gaussian_like(out, rng)
    gradients = OPS[case.op].backward(dout, saved)

    twins = [torch.tensor(array, requires_grad=True) for array in arrays]
    reference = case.twin(*twins)
    reference.backward(torch.tensor(dout).reshape(reference.shape))

    assert np.shape(out) == tuple(reference.shape)
    assert_allclose(out, reference.detach().numpy(), rtol=1e-10, atol=1e-12)
    for gradient, array, twin in zip(gradients, arrays, twins, strict=True):
        assert np.shape(gradient) == array.shape
        assert twin.grad is not None
        assert_allclose(gradient, twin.grad.numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("case", SMOOTH, ids=str)
def test_backward_matches_central_differences(case: Case, rng: np.random.Generator) -> None:
    arrays = case.make(rng)
    out, saved = case.forward(arrays)
    dout = _gaussian_like(out, rng)
    gradients = OPS[case.op].backward(dout, saved)
    step = 1e-6
    for array, gradient in zip(arrays, gradients, strict=True):
        slope = np.zeros_like(array)
        for place in np.ndindex(array.shape):
            here = array[place]
            array[place] = here + step
            above = np.copy(case.forward(arrays)[0])  # it may be a view of the input
            array[place] = here - step
            below = np.copy(case.forward(arrays)[0])
            array[place] = here
            slope[place] = np.sum((above - below) * dout) / (2 * step)
        assert_allclose(gradient, slope, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("case", FREE_OF_DTYPE, ids=str)
def test_float32_stays_float32(case: Case, rng: np.random.Generator) -> None:
    with np.errstate(over="ignore"):  # 1e300 is no float32
        arrays = [array.astype(np.float32) for array in case.make(rng)]
    out, saved = case.forward(arrays)
    assert out.dtype == np.float32
    for gradient in OPS[case.op].backward(_gaussian_like(out, rng), saved):
        assert gradient.dtype == np.float32


@pytest.mark.parametrize("case", CASES, ids=str)
def test_backward_changes_nothing_that_it_was_given(case: Case, rng: np.random.Generator) -> None:
    """The gradient from above may be shared with other nodes, and a graph may be walked twice."""
    arrays = case.make(rng)
    inputs = [array.copy() for array in arrays]
    out, saved = case.forward(arrays)
    out_before = np.copy(out)
    dout = _gaussian_like(out, rng)
    dout_before = dout.copy()
    first = [np.copy(gradient) for gradient in OPS[case.op].backward(dout, saved)]
    second = OPS[case.op].backward(dout, saved)
    assert_array_equal(dout, dout_before)
    assert_array_equal(out, out_before)
    for array, before in zip(arrays, inputs, strict=True):
        assert_array_equal(array, before)
    for one, other in zip(first, second, strict=True):
        assert_array_equal(one, other)


def test_every_op_explains_itself() -> None:
    for op in OPS.values():
        assert "=" in op.formula
        assert "\n" not in op.formula
        assert op.__doc__
