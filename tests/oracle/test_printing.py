"""Tensors print as PyTorch prints them: any shape, dtype and size of numbers, and any print options."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import backlight.torchlike as ours

FLOATS = st.one_of(
    st.floats(width=32),
    st.integers(-20, 20).map(float),
    st.integers(-(10**9), 10**9).map(float),
    st.floats(-3, 3, width=32),
    st.tuples(st.floats(-1, 1, width=32), st.integers(-12, 12)).map(lambda pair: pair[0] * 10.0 ** pair[1]),
    st.sampled_from(
        [0.0, -0.0, float("inf"), float("-inf"), float("nan"), 1e-4, 9e-5, 1e8, 100000001.0, 999.5, 1000.5]
    ),
)
SHAPES = npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=7)
INTEGERS = ("int8", "int16", "int32", "int64", "uint8")


@st.composite
def arrays(draw: st.DrawFn) -> np.ndarray:
    """Draw an array: floats of one size or of mixed sizes, integers, or booleans."""
    shape = draw(SHAPES)
    kind = draw(st.sampled_from(("float32", "float64", "bool", *INTEGERS)))
    if kind.startswith("float"):
        elements = FLOATS if draw(st.booleans()) else draw(st.sampled_from([st.floats(-2, 2), st.integers(-9, 9)]))
        numbers = draw(st.lists(elements, min_size=1, max_size=6))
    elif kind == "bool":
        numbers = draw(st.lists(st.booleans(), min_size=1, max_size=4))
    else:
        info = np.iinfo(kind)
        numbers = draw(st.lists(st.integers(int(info.min), int(info.max)) | st.integers(0, 9), min_size=1, max_size=6))
    count = int(np.prod(shape))
    picks = draw(st.integers(0, 2**32 - 1))
    order = np.random.default_rng(picks).integers(0, len(numbers), count)
    with np.errstate(over="ignore"):
        return np.asarray(numbers).astype(kind)[order].reshape(shape)


@pytest.fixture(autouse=True)
def _options() -> Iterator[None]:
    yield
    for library in (ours, torch):
        library.set_printoptions(profile="default")


def both(array: np.ndarray) -> tuple[str, str]:
    return repr(ours.tensor(array)), repr(torch.tensor(array))


@settings(max_examples=400, deadline=None)
@given(arrays())
def test_any_tensor(array: np.ndarray) -> None:
    mine, theirs = both(array)
    assert mine == theirs


@settings(max_examples=150, deadline=None)
@given(
    npst.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=30),
    st.floats(-8, 8),
    st.sampled_from(["float32", "float64", "int64", "bool"]),
    st.integers(0, 10**6),
)
def test_large_tensors_are_summarised(shape: tuple[int, ...], power: float, kind: str, seed: int) -> None:
    array = (np.random.default_rng(seed).normal(size=(*shape, 11)) * 10.0**power).astype(kind)
    mine, theirs = both(array)
    assert mine == theirs


@settings(max_examples=150, deadline=None)
@given(
    arrays(),
    st.fixed_dictionaries(
        {},
        optional={
            "precision": st.integers(0, 8),
            "threshold": st.integers(0, 50),
            "edgeitems": st.integers(0, 4),
            "linewidth": st.integers(10, 120),
            "profile": st.sampled_from(["default", "short", "full"]),
            "sci_mode": st.sampled_from([None, True, False]),
        },
    ),
)
def test_print_options(array: np.ndarray, options: dict[str, object]) -> None:
    for library in (ours, torch):
        library.set_printoptions(profile="default")
        library.set_printoptions(**options)
    mine, theirs = both(array)
    assert mine == theirs
    assert str(ours.tensor(array)) == theirs


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 30), st.integers(1, 30), st.booleans())
def test_notes_wrap_at_the_same_column(rows: int, columns: int, leaf: bool) -> None:
    array = np.arange(rows * columns, dtype=np.float64).reshape(rows, columns)
    mine, theirs = ours.tensor(array, requires_grad=True), torch.tensor(array, requires_grad=True)
    assert repr(mine if leaf else mine * 2) == repr(theirs if leaf else theirs * 2)
    assert repr(mine[:, 0] / 3) == repr(theirs[:, 0] / 3)


def test_parameters_formats_and_pairs() -> None:
    x, y = [[1.5, -2.0], [0.0, 3.0]], (2,)
    mine, theirs = ours.tensor(x), torch.tensor(x)
    for function in ("max", "min"):
        assert repr(getattr(mine, function)(1)) == repr(getattr(theirs, function)(1))
    assert f"{mine[0, 0]:.3f} {mine[0, 0]} {mine}" == f"{theirs[0, 0]:.3f} {theirs[0, 0]} {theirs}"
    assert repr(ours.zeros(y)) == repr(torch.zeros(y))
    with ours.printoptions(precision=1):
        assert repr(mine) == "tensor([[ 1.5, -2.0],\n        [ 0.0,  3.0]])"
    assert ours.get_printoptions()["precision"] == 4


def test_sizes_and_dtypes() -> None:
    mine, theirs = ours.zeros(2, 3, 4), torch.zeros(2, 3, 4)
    for a, b in ((mine.shape, theirs.shape), (mine.size(), theirs.size())):
        for part in (a, a[1:], a + (5,), (5,) + a, a * 2, a[:0]):  # noqa: RUF005  # both orders of +
            assert isinstance(part, ours.Size)
        assert [repr(a), repr(a[1:]), f"{a}", repr(a + (5,))] == [repr(b), repr(b[1:]), f"{b}", repr(b + (5,))]  # noqa: RUF005
        assert a.numel() == 24
        assert a == (2, 3, 4)
        assert isinstance(a, tuple)
    for name in ("float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool", "float", "double", "long"):
        a, b = getattr(ours, name), getattr(torch, name)
        assert repr(a) == repr(b)
        assert (a.is_floating_point, a.itemsize, a.is_signed) == (b.is_floating_point, b.itemsize, b.is_signed)
        made = ours.zeros(2, dtype=a)
        assert made.dtype is a
        assert np.zeros(2, made.dtype).dtype == made.array.dtype
        assert made.array.dtype == a
        assert hash(a) == hash(made.array.dtype)


GRAD_FN = """
a+b|a-b|1-a|a*b|a/b|1/a|-a|a**2|a**b|2**a|a@w|a@v|v@v|v@w|t@w|t@u|t@v|a.exp()|a.log()|a.tanh()|a.relu()|a.sigmoid()
a.sqrt()|a.abs()|a.sin()|a.cos()|a.log10()|a.double()|a.clone()|a.view(4,3)|a.reshape(12)|a.T.reshape(12)|a.flatten()
a.unflatten(1,(2,2))|a.unsqueeze(0)|a[None]|a.unsqueeze(0).squeeze(0)|a.unsqueeze(0).squeeze()|a.T|a.mT|a.t()|a[:]
a.transpose(0,1)|a.permute(1,0)|a.expand(2,3,4)|a[0]|a[:,0]|a[1:]|a[i]|a[i,i]|a[...,None]|a[m]|a[0:2,1]|a[i,1:]|a[...]
a[None,0]|a[::2]|v[0]|a[0,0]|a[:,:]|a[:,None]|a[0,:]|a[0:2,None,1:]|a[[0,1]]|a[:,[0]]|a[:,-1,None]|t[:,-1,:]|t[:,:,0]
a.sum()|a.sum(0)|a.mean()|a.mean(0)|a.var()|a.var(0)|a.std()|a.std(0)|a.max()|a.max(0).values|a.min(0).values|a.min()
a.cumsum(0)|a.softmax(1)|a.log_softmax(1)|a.masked_fill(m,0)|a.tril()|a.triu()|a.argmax()
torch.cat([a,b])|torch.stack([a,b])|torch.where(m,a,b)|F.cross_entropy(a,y)|F.mse_loss(a,b)
F.linear(a,w.T,c)|F.linear(a,w.T)|F.linear(t,w.T,c)|F.linear(t,w.T)|F.embedding(i,a)|F.gelu(a,approximate='tanh')
"""


@pytest.mark.parametrize("expression", GRAD_FN.replace("\n", "|").strip("|").split("|"))
def test_grad_fn(expression: str) -> None:
    numbers = np.random.default_rng(1)
    shapes = {"a": (3, 4), "b": (3, 4), "w": (4, 5), "v": (4,), "t": (2, 3, 4), "u": (2, 4, 5), "c": (5,)}
    arrays = {name: numbers.uniform(0.1, 1, shape).astype(np.float32) for name, shape in shapes.items()}
    texts = []
    for library in (ours, torch):
        names = {name: library.tensor(array, requires_grad=True) for name, array in arrays.items()}
        names |= {"i": library.tensor([0, 2]), "m": library.tensor(arrays["a"] > 0.5), "y": library.tensor([0, 1, 2])}
        made = eval(expression, {"torch": library, "F": library.nn.functional}, names)  # noqa: S307
        texts.append(made.grad_fn.name() if made.grad_fn is not None else None)
    assert texts[0] == texts[1]
