"""Our generator beside PyTorch's: the same calls from the same seed, and the same bits."""

import itertools

import numpy as np
import pytest
import torch

from backlight.torchlike.distributions import multinomial, normal, rand, randint, randn, randperm
from backlight.torchlike.generator import Generator

SEEDS = [0, 1, 42, 1337, 2147483647, 2**31 + 11, 2**32 - 1, 2**32 + 42, 2**64 - 1, -1, -42, -(2**63)]
SIZES = [1, 2, 3, 15, 16, 17, 31, 32, 100, 27 * 27, (27, 27), (228146 // 50, 10), (0, 3), (5, 1, 3)]
DTYPES = [(np.float32, torch.float32), (np.float64, torch.float64)]

# Without AVX2 PyTorch computes float32 normal numbers with the C library, and scales few of them in two roundings.
BIT_FOR_BIT = torch.backends.cpu.get_cpu_capability() in {"AVX2", "AVX512"}


def pair(seed: int) -> tuple[Generator, torch.Generator]:
    return Generator().manual_seed(seed), torch.Generator().manual_seed(seed)


def size_of(shape: int | tuple[int, ...]) -> tuple[int, ...]:
    return shape if isinstance(shape, tuple) else (shape,)


def assert_same(ours: np.ndarray, theirs: torch.Tensor, *, tolerance: float = 0.0) -> None:
    reference = theirs.detach().numpy()
    assert ours.dtype == reference.dtype
    assert ours.shape == reference.shape
    if tolerance:
        np.testing.assert_allclose(ours, reference, rtol=0, atol=tolerance)
    else:
        assert ours.tobytes() == reference.tobytes()


def normal_tolerance(dtype: np.dtype, scale: float) -> float:
    if BIT_FOR_BIT:
        return 0.0
    return scale * (1e-5 if np.dtype(dtype) == np.float32 else 1e-15)


def assert_in_step(g: Generator, h: torch.Generator) -> None:
    assert_same(rand(3, g), torch.rand(3, generator=h))


@pytest.mark.parametrize("seed", SEEDS)
def test_seeds(seed):
    g, h = pair(seed)
    assert g.initial_seed() == h.initial_seed()
    assert_same(randint(0, 2**20, 2000, g), torch.randint(0, 2**20, (2000,), generator=h))


def test_default_seed():
    g, h = Generator(), torch.Generator()
    assert g.initial_seed() == h.initial_seed()
    assert_same(rand(5, g), torch.rand(5, generator=h))


@pytest.mark.parametrize("shape", SIZES, ids=str)
@pytest.mark.parametrize("dtypes", DTYPES, ids=["float32", "float64"])
class TestSizes:
    def test_rand(self, shape, dtypes):
        for seed in SEEDS:
            g, h = pair(seed)
            assert_same(rand(shape, g, dtypes[0]), torch.rand(shape, generator=h, dtype=dtypes[1]))
            assert_in_step(g, h)

    def test_randn(self, shape, dtypes):
        for seed in SEEDS:
            g, h = pair(seed)
            theirs = torch.randn(shape, generator=h, dtype=dtypes[1])
            assert_same(randn(shape, g, dtypes[0]), theirs, tolerance=normal_tolerance(dtypes[0], 1))
            assert_in_step(g, h)

    @pytest.mark.parametrize(("mean", "std"), [(0.3, 1.7), (-1e3, 1e-3), (0, 0.2), (2, 0), (0.1, 1e-40), (1e30, 1e30)])
    def test_normal(self, shape, dtypes, mean, std):
        for seed in SEEDS[:4]:
            g, h = pair(seed)
            theirs = torch.normal(float(mean), float(std), size_of(shape), generator=h, dtype=dtypes[1])
            tolerance = normal_tolerance(dtypes[0], abs(mean) + 10 * std)
            assert_same(normal(mean, std, shape, g, dtypes[0]), theirs, tolerance=tolerance)
            assert_in_step(g, h)


@pytest.mark.parametrize("shape", SIZES, ids=str)
@pytest.mark.parametrize(
    ("low", "high"),
    [(0, 1), (0, 27), (-7, 90), (0, 228146), (0, 2**28 - 1), (5, 2**28 + 5), (0, 2**32), (-(2**63), 2**63 - 1)],
)
def test_randint(shape, low, high):
    for seed in SEEDS:
        g, h = pair(seed)
        assert_same(randint(low, high, shape, g), torch.randint(low, high, size_of(shape), generator=h))
        assert_in_step(g, h)


@pytest.mark.parametrize(
    ("low", "high", "ours", "theirs"),
    [
        (0, 256, np.uint8, torch.uint8),
        (-128, 128, np.int8, torch.int8),
        (-(2**31), 2**31, np.int32, torch.int32),
        (0, 2, np.bool_, torch.bool),
        (-(2**24), 2**24 + 1, np.float32, torch.float32),
        (0, 2**50, np.float64, torch.float64),
    ],
)
def test_randint_of_other_types(low, high, ours, theirs):
    g, h = pair(42)
    assert_same(randint(low, high, 500, g, ours), torch.randint(low, high, (500,), generator=h, dtype=theirs))
    assert_in_step(g, h)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 10, 32, 1000, 20_000])
def test_randperm(n):
    for seed in SEEDS:
        g, h = pair(seed)
        assert_same(randperm(n, g), torch.randperm(n, generator=h))
        assert_in_step(g, h)


def weights(kind: str) -> np.ndarray:
    rng = np.random.default_rng(7)
    return {
        "row": rng.random(27),
        "rows": rng.random((6, 27)) * np.array([[1e-8], [1], [3], [100], [1e8], [0.1]]),
        "transposed": rng.random((27, 6)).T,
        "strided": rng.random((60, 30)).T[::2, 1:28],
        "one": np.ones(1),
        "with zeros": np.array([[0, 0, 1, 0.5, 0.25, 0, 1e-6], [1, 2, 3, 0, 0, 0, 0]]),
        "many": rng.random(3000),
    }[kind]


@pytest.mark.parametrize("dtypes", DTYPES, ids=["float32", "float64"])
@pytest.mark.parametrize("kind", ["row", "rows", "transposed", "strided", "one", "with zeros", "many"])
@pytest.mark.parametrize(("num_samples", "replacement"), list(itertools.product([1, 2, 3, 20, 100], [True, False])))
def test_multinomial(kind, dtypes, num_samples, replacement):
    given = weights(kind)
    probs = np.empty_like(given, dtype=dtypes[0])  # keeps the order of the axes in memory
    probs[:] = given
    if not replacement:
        num_samples = min(num_samples, int(np.count_nonzero(probs, axis=-1).min()))
    probs_in_torch = torch.from_numpy(probs)
    assert probs_in_torch.stride() == tuple(s // probs.itemsize for s in probs.strides)
    for seed in SEEDS:
        g, h = pair(seed)
        for _ in range(3):
            theirs = torch.multinomial(probs_in_torch, num_samples, replacement, generator=h)
            assert_same(multinomial(probs, num_samples, replacement, g), theirs)
        assert_in_step(g, h)


def test_multinomial_of_a_view_with_gaps():
    whole = np.random.default_rng(7).random((60, 30)).astype(np.float32)
    probs, probs_in_torch = whole.T[::2, 1:28], torch.from_numpy(whole).T[::2, 1:28]
    g, h = pair(42)
    for num_samples, replacement in itertools.product([1, 4], [True, False]):
        theirs = torch.multinomial(probs_in_torch, num_samples, replacement, generator=h)
        assert_same(multinomial(probs, num_samples, replacement, g), theirs)


@pytest.mark.parametrize("seed", SEEDS)
def test_mixed_calls_stay_in_step(seed):
    g, h = pair(seed)
    probs = np.random.default_rng(3).random((4, 27)).astype(np.float32)
    probs_in_torch = torch.from_numpy(probs)
    choose = np.random.default_rng(seed % 2**63)
    for _ in range(150):
        n = int(choose.integers(0, 40))
        ours_type, theirs_type = DTYPES[choose.integers(2)]
        match choose.integers(7):
            case 0:
                assert_same(rand(n, g, ours_type), torch.rand(n, generator=h, dtype=theirs_type))
            case 1 | 2:
                theirs = torch.randn(n, generator=h, dtype=theirs_type)
                assert_same(randn(n, g, ours_type), theirs, tolerance=normal_tolerance(ours_type, 1))
            case 3:
                high = int(choose.integers(1, 2**40))
                assert_same(randint(0, high, n, g), torch.randint(0, high, (n,), generator=h))
            case 4:
                assert_same(randperm(n, g), torch.randperm(n, generator=h))
            case 5:
                replacement, num_samples = bool(choose.integers(2)), 1 + n % 27
                theirs = torch.multinomial(probs_in_torch, num_samples, replacement, generator=h)
                assert_same(multinomial(probs, num_samples, replacement, g), theirs)
            case 6:
                theirs = torch.normal(0.5, 2.0, (n,), generator=h, dtype=theirs_type)
                tolerance = normal_tolerance(ours_type, 20)
                assert_same(normal(0.5, 2.0, n, g, ours_type), theirs, tolerance=tolerance)


def test_a_million_normal_numbers():
    g, h = pair(20240229)
    assert_same(randn(2**20 + 5, g), torch.randn(2**20 + 5, generator=h), tolerance=normal_tolerance(np.float32, 1))


@pytest.mark.skipif(not BIT_FOR_BIT, reason="PyTorch rounds otherwise without AVX2")
def test_infinite_deviation():
    for dtypes, size in itertools.product(DTYPES, [5, 100]):
        g, h = pair(1)
        theirs = torch.normal(0.0, float("inf"), (size,), generator=h, dtype=dtypes[1])
        np.testing.assert_array_equal(normal(0, np.inf, size, g, dtypes[0]), theirs.detach().numpy())


def test_names_from_bigram_counts(makemore_names):
    """The second lecture's sampling loop: five names, one draw a character."""
    names = makemore_names.read_text().splitlines()
    letters = "." + "".join(sorted(set("".join(names))))
    counts = np.zeros((27, 27), np.int32)
    for name in names:
        ids = [letters.index(c) for c in f".{name}."]
        np.add.at(counts, (ids[:-1], ids[1:]), 1)
    probs = (counts + 1).astype(np.float32)
    probs /= probs.sum(1, keepdims=True)
    g, h = pair(2147483647)
    here, drawn = 0, ""
    while drawn.count(".") < 5:
        row = probs[here]
        here = multinomial(row, num_samples=1, replacement=True, generator=g).item()
        theirs = torch.multinomial(torch.from_numpy(row), num_samples=1, replacement=True, generator=h).item()
        assert here == theirs
        drawn += letters[here]
    assert drawn.split(".")[:5] == ["cexze", "momasurailezitynn", "konimittain", "llayn", "ka"]
