"""The inputs on which every op is checked, one case per line. The reference is in `backlight.pytorch.ops`."""

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from backlight.autograd import OPS, Op
from backlight.autograd.ops.attention import PackedIndex
from backlight.core import Array
from backlight.gradcheck.inputs import (
    Make,
    Shape,
    apart,
    away_from_0,
    away_from_1,
    exactly,
    far_out,
    ids,
    mask,
    positive,
    signs,
)


@dataclass(frozen=True)
class OpCase:
    """An op, its inputs and its settings.

    Attributes:
        op: the op's name in `OPS`.
        inputs: for each input, a shape (for Gaussian numbers) or a function that draws it.
        settings: the keyword arguments of `forward`.
        smooth: False where central differences do not apply: at a kink, or below the resolution of the dtype.
    """

    op: str
    inputs: tuple[Shape | Make, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    smooth: bool = True

    def __str__(self) -> str:
        inputs = ["made" if callable(i) else _size(i) for i in self.inputs]
        return (
            f"{self.op}({', '.join([*inputs, *(f'{name}={_brief(value)}' for name, value in self.settings.items())])})"
        )

    @property
    def kind(self) -> type[Op]:
        """The op's class."""
        return OPS[self.op]

    def make(self, rng: np.random.Generator) -> list[Array]:
        """Return the inputs, in float64 and in the shapes of the case."""
        return [np.asarray(i(rng) if callable(i) else rng.standard_normal(i)) for i in self.inputs]

    def forward(self, arrays: list[Array]) -> tuple[Array, Any]:
        """Return the op's output for inputs in the shapes of the case, and what its backward needs."""
        return self.kind.forward(*arrays, **self.settings)


def _size(shape: Shape) -> str:
    return "x".join(map(str, shape)) or "number"


def _brief(setting: Any) -> str:
    """Return a setting as text; of an array, its shape."""
    if isinstance(setting, np.ndarray):
        return _size(setting.shape)
    if isinstance(setting, tuple):
        return f"({', '.join(map(_brief, setting))})"
    return str(setting.__name__) if callable(setting) else str(setting)


def line(op: str, *inputs: Shape | Make, smooth: bool = True, **settings: Any) -> OpCase:
    """Return a case, so that each fits on one line.

    Args:
        op: see `OpCase`.
        inputs: see `OpCase`.
        smooth: see `OpCase`.
        settings: see `OpCase`.
    """
    return OpCase(op, inputs, settings, smooth)


# fmt: off
def _binary() -> list[OpCase]:
    """All directions of broadcasting, scalars, and axes of length 0 and 1."""
    shapes: list[tuple[Shape, Shape]] = [
        ((3, 4), (3, 4)), ((3, 4), (4,)), ((4,), (3, 4)), ((3, 1), (1, 4)), ((3, 4), ()), ((), (2, 3)), ((), ()),
        ((2, 1, 3), (4, 1)), ((1, 1), (3,)), ((0, 3), (1, 3)), ((1,), (1, 1, 1)),
    ]
    cases = []
    for a, b in shapes:
        cases += [
            *[line(op, a, b) for op in ("add", "sub", "mul")],
            line("div", a, away_from_0(*b)),
            line("pow", positive(*a), b),
        ]
    return cases


_SMOOTH: Final = ("neg", "exp", "tanh", "sigmoid", "gelu", "sin", "cos", "erf", "exact_gelu")


def _elementwise() -> list[OpCase]:
    shapes: list[Shape] = [(), (5,), (2, 3), (1, 1), (0, 2)]
    return [
        *[line(op, s) for s in shapes for op in _SMOOTH],
        *[line(op, positive(*s)) for s in shapes for op in ("log", "sqrt")],
        *[line(op, away_from_0(*s)) for s in shapes for op in ("relu", "abs")],
        *[line("step", s, function=f, smooth=False) for s in shapes for f in (np.floor, np.round, np.sign)],
    ]


def _reductions() -> list[OpCase]:
    cases = []
    reduced: list[tuple[Shape, Shape | None]] = [
        ((), None), ((4,), (0,)), ((3, 4), None), ((3, 4), (0,)), ((3, 4), (1,)), ((2, 3, 4), (0, 2)),
        ((2, 1, 3), (1,)), ((2, 3, 1), (2,)), ((2, 3, 4), (0, 1, 2)), ((2, 3, 4), (1,)),
    ]
    for shape, axes in reduced:
        for keep in (False, True):
            over: dict[str, Any] = {"axes": axes, "keepdims": keep}
            cases += [
                line("sum", shape, **over),
                line("mean", shape, **over),
                line("extreme", apart(*shape), largest=True, **over),
                line("extreme", apart(*shape), largest=False, **over),
            ]
            if np.prod([shape[a] for a in (range(len(shape)) if axes is None else axes)]) > 1:
                cases += [line(op, shape, correction=c, **over) for op in ("var", "std") for c in (0, 1)]
    return cases


def _recurrences() -> list[OpCase]:
    """One row, one step, one unit; sequences of different lengths; an initial state that is not 0; saturated gates."""
    cases = []
    state = tuple(np.random.default_rng(n).standard_normal((3, 5)) for n in (1, 2))
    for op, G, biases in [("rnn", 1, 1), ("gru", 3, 2), ("lstm", 4, 1)]:
        def weights(I: int, H: int, G: int = G, biases: int = biases) -> list[Shape]:
            return [(I, G * H), (H, G * H), *[(G * H,)] * biases]

        first = state[: 1 + (op == "lstm")]
        cases += [
            *[
                line(op, (B, T, I), *weights(I, H))
                for B, T, I, H in [(3, 4, 2, 5), (1, 5, 3, 2), (4, 1, 3, 5), (1, 1, 1, 1), (2, 7, 1, 3)]
            ],
            *[
                line(op, (sum(counts), 2), *weights(2, 5), counts=counts)
                for counts in [(3, 3, 2, 1, 1), (3, 3, 3), (4, 1), (1,), (5,)]
            ],
            line(op, (3, 4, 2), *weights(2, 5), state=first),
            line(op, (6, 2), *weights(2, 5), state=first, counts=(3, 2, 1)),
            line(op, far_out(2, 3, 2), *weights(2, 3), smooth=False),
        ]
    return cases


_some = PackedIndex((3, 5), ids(0, 1, 2, 3, 4, 5, 10, 11, 12))
_mask_34, _mask_4, _mask_234 = mask(3, 4), mask(4), mask(2, 3, 4)

CASES: Final[list[OpCase]] = [
    *_binary(),
    *_elementwise(),
    *_reductions(),
    *_recurrences(),
    # -- at the edges of a domain --------------------------------------------------------------------------------------
    line("relu", exactly(-1, 0, 1), smooth=False),
    line("abs", exactly(-1, 0, 1), smooth=False),
    line("log", exactly(1e-300, 1e300), smooth=False),
    line("sqrt", exactly(0, 4), smooth=False),
    line("exp", exactly(-1000, 710, 1), smooth=False),
    line("tanh", exactly(-1000, -20, 20, 1000)),
    line("sigmoid", exactly(-1000, -40, -20, 20, 1000), smooth=False),
    line("div", exactly(1, -1, 0), exactly(0, 0, 0), smooth=False),
    line("pow", exactly(0, 0, 2), exactly(0, 2, 0), smooth=False),
    line("std", exactly(2, 2, 2), smooth=False),
    line("extreme", exactly(3, 1, 3, 3), smooth=False),
    line("extreme", exactly([1, 1], [2, 1]), axes=(1,), largest=False, smooth=False),
    # -- powers with a constant exponent -------------------------------------------------------------------------------
    *[line("pow_constant", away_from_0(2, 3), exponent=n) for n in (-2, -1, 0, 1, 2, 3)],
    *[line("pow_constant", positive(2, 3), exponent=n) for n in (-0.5, 0.5, 1.5, 2.0)],
    line("pow_constant", (), exponent=2),
    line("pow_constant", exactly(0, 1), exponent=0),
    line("pow_constant", exactly(0, 1), exponent=3),
    line("pow_constant", exactly(0, 4), exponent=0.5, smooth=False),
    # -- dtypes --------------------------------------------------------------------------------------------------------
    line("cast", (2, 3), dtype=np.float64),
    line("cast", (2, 3), dtype=np.float32, smooth=False),
    # -- matrices ------------------------------------------------------------------------------------------------------
    *[
        line("matmul", a, b)
        for a, b in [
            ((3, 4), (4, 2)), ((4,), (4,)), ((4,), (4, 2)), ((3, 4), (4,)), ((2, 3, 4), (4, 5)), ((2, 3, 4), (2, 4, 5)),
            ((2, 1, 3, 4), (3, 4, 2)), ((3, 4), (2, 4, 5)), ((1, 3, 4), (2, 4, 5)), ((4,), (2, 4, 3)),
            ((2, 3, 4), (4,)), ((1, 1), (1, 1)), ((0, 4), (4, 2)), ((3, 0), (0, 2)),
        ]
    ],
    *[line("linear", x, (4, 3), (3,)) for x in [(4,), (2, 4), (2, 3, 4), (1, 1, 4), (0, 4)]],
    # -- shapes --------------------------------------------------------------------------------------------------------
    line("reshape", (2, 6), shape=(3, 4)),
    line("reshape", (2, 6), shape=(-1, 3, 2)),
    line("reshape", (), shape=(1, 1)),
    line("reshape", (1, 1), shape=()),
    line("permute", (2, 3, 4), order=(1, 2, 0)),
    line("permute", (2, 3, 4), order=(2, 0, 1)),
    line("permute", (2, 3), order=(1, 0)),
    line("permute", (), order=()),
    line("expand", (3, 1), shape=(3, 4)),
    line("expand", (1, 3), shape=(2, 5, 3)),
    line("expand", (), shape=(2, 2)),
    line("cat", (2, 3), (1, 3), (4, 3), axis=0),
    line("cat", (2, 3), (2, 1), axis=-1),
    line("cat", (2, 1, 3), (2, 2, 3), (2, 0, 3), axis=1),
    line("cat", (3,), axis=0),
    line("stack", (2, 3), (2, 3), axis=0),
    line("stack", (2, 3), (2, 3), (2, 3), axis=1),
    line("stack", (2, 3), (2, 3), axis=-1),
    line("stack", (), (), (), axis=0),
    *[
        line("where", a, b, condition=c)
        for a, b, c in [((3, 4), (3, 4), _mask_34), ((4,), (3, 1), _mask_34), ((), (3, 4), _mask_4), ((), (), _mask_34)]
    ],
    *[
        line("masked_fill", a, mask=m, value=v)
        for a, m, v in [((3, 4), _mask_34, 0.0), ((3, 4), _mask_4, 7.5), ((2, 3, 4), _mask_34, -1.0),
                        ((4,), _mask_34, 2.0), ((3, 1), _mask_234, 0.0)]
    ],
    *[
        line("triangle", s, k=k, lower=lower)
        for s, k in [((3, 3), 0), ((3, 4), 1), ((4, 3), -1), ((2, 3, 3), 0), ((1, 1), 0), ((2, 2), 5)]
        for lower in (True, False)
    ],
    # -- indexing ------------------------------------------------------------------------------------------------------
    *[
        line("index", shape, index=index)
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
        line("embed", w, ids=i)
        for w, i in [((5, 3), ids(0, 4, 4, 4)), ((5, 3), ids([0, 1], [1, 1])), ((1, 2), ids(0, 0)),
                     ((200, 2), ids(7, 7, 199)), ((5, 3), np.array(3)), ((3, 2), ids(1)[:0]), ((3, 1), ids([[0], [2]]))]
    ],
    *[
        line("pick_along", (3, 4), indices=i, axis=d)
        for i, d in [(ids([1], [0], [3]), 1), (ids([2, 0, 1, 1]), 0), (ids([1], [1], [2]), -1)]
    ],
    line("pick_along", (3, 4), indices=ids([1, 1, 3], [0, 2, 0], [3, 3, 3]), axis=1),
    *[
        line(op, a, b, index=i)
        for op in ("set_index", "add_index")
        for a, b, i in [((3, 4), (4,), 1), ((3, 4), (), (1, 2)), ((3, 4), (2, 4), slice(0, 2)),
                        ((3, 4), (3, 1), np.s_[:, 1:]),
                        ((5,), (2,), ids(4, 0)), ((3, 4), (2,), (ids(0, 2), ids(1, 1)))]
    ],
    line("set_index", (2, 3), (1, 3), index=0),
    line("add_index", (4,), (3,), index=ids(1, 1, 2)),
    *[line("prod", s, axis=d, keepdims=k) for s, d in [((4,), 0), ((3, 4), 1), ((2, 3, 2), 1)] for k in (False, True)],
    line("prod", exactly([0, 2, 3], [0, 0, 1], [1, 2, 3]), axis=1),
    line("einsum", (2, 3), (3, 4), letters=("ij", "jk"), result="ik"),
    line("einsum", (2, 3), letters=("ij",), result=""),
    line("einsum", (2, 3), letters=("ij",), result="ji"),
    line("einsum", (2, 2, 3), (2, 3, 1), letters=("bij", "bjk"), result="bik"),
    line("einsum", (2,), (3,), (2,), letters=("i", "j", "k"), result="ijk"),
    line("einsum", (2, 3), (2, 4), letters=("ij", "ik"), result="i"),
    line("einsum", (2, 3, 2), (3, 2, 2), (2, 2), letters=("ijk", "jil", "kl"), result="l"),
    *[
        line("cumsum", s, axis=d)
        for s, d in [((4,), 0), ((3, 4), 0), ((3, 4), -1), ((2, 3, 4), 1), ((2, 1), 1), ((0, 2), 0)]
    ],
    # -- normalisation and dropout -------------------------------------------------------------------------------------
    *[line("batch_norm", (*n, 5), (5,), (5,)) for n in [(2,), (7,), (3, 4), (2, 3, 2), (1, 2)]],
    line("batch_norm", (3, 1), (1,), (1,), eps=0.1),
    line("batch_norm", exactly([2, 1], [2, 3], [2, 5]), (2,), (2,), smooth=False),  # a constant channel
    *[line("layer_norm", (*n, 5), (5,), (5,)) for n in [(), (1,), (7,), (3, 4), (2, 3, 2), (0,)]],
    line("layer_norm", (3, 2), (2,), (2,), eps=0.1),
    line("layer_norm", (3, 1), (1,), (1,)),
    *[line("dropout", m.shape, keep=m, p=p) for m, p in [(_mask_34, 0.5), (_mask_234, 0.1), (_mask_4, 0.0)]],
    # -- attention and convolution -------------------------------------------------------------------------------------
    *[
        line("causal_attention", (B, T, 3 * C), heads=h)
        for B, T, C, h in [(2, 5, 6, 3), (1, 1, 4, 2), (3, 7, 5, 1), (1, 2, 3, 3), (2, 16, 4, 2)]
    ],
    line("causal_attention", far_out(2, 5, 12), heads=2, smooth=False),
    *[line("causal_attention", (9, 12), heads=h, places=_some) for h in (1, 2)],
    *[
        line("causal_attention", (B, T, 12), heads=2, keep=k, p=p)
        for B, T, k, p in [(2, 3, mask(2, 2, 3, 3), 0.5), (1, 5, mask(1, 2, 5, 5), 0.2)]
    ],
    *[
        line("causal_conv1d", (B, T, i), (K, i, o), (o,), dilation=d)
        for B, T, i, K, o, d in [(2, 8, 3, 2, 4, 1), (2, 8, 3, 2, 4, 4), (1, 5, 1, 3, 2, 2), (3, 4, 2, 1, 5, 3),
                                 (2, 3, 2, 3, 1, 2), (1, 1, 2, 2, 2, 8)]
    ],
    # -- probabilities and losses --------------------------------------------------------------------------------------
    *[
        line(op, s, axis=d)
        for op in ("softmax", "log_softmax")
        for s, d in [((5,), 0), ((3, 5), -1), ((3, 5), 0), ((2, 3, 4), 1), ((2, 3, 4), -1), ((3, 1), -1)]
    ],
    line("softmax", exactly([1000, 1001, -1000]), axis=-1),
    line("softmax", exactly([0.5, -np.inf, 1]), axis=-1, smooth=False),
    line("log_softmax", exactly([1000, 1001, -1000]), axis=-1, smooth=False),
    *[
        line("cross_entropy", z, targets=y)
        for z, y in [((4, 5), ids(0, 4, 4, 2)), ((4, 5), ids(0, -1, 4, -1)), ((2, 3, 5), ids([0, 1, 4], [3, 3, 3])),
                     ((2, 3, 5), ids([0, -1, -1], [-1, 3, 3])), ((5,), np.array(2)), ((1, 1), ids(0)),
                     ((3, 2), ids(-1, -1, 1)), ((2, 2, 2, 3), ids([[0, 1], [-1, 2]], [[0, 0], [1, -1]]))]
    ],
    line("cross_entropy", exactly([900, -900, 0], [0, 0, 0]), targets=ids(1, 2), smooth=False),
    *[line("mse", s, s) for s in [(), (4,), (3, 2), (1, 1)]],
    *[line("hinge", away_from_1(*s), signs(*s)) for s in [(6,), (3, 1), (1,), ()]],
]
# fmt: on
