"""Numbers that PyTorch 2.13 gave once on an AVX2 CPU, and the rules of the generator; no PyTorch here."""

import hashlib
import json
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backlight.core.errors import BacklightError, ConfigError, OperandError, ShapeError
from backlight.torchlike._fused import fma32, fma64
from backlight.torchlike.distributions import _scaled, multinomial, normal, rand, randint, randn, randperm
from backlight.torchlike.generator import Generator

LECTURE_SEED = 2147483647


@pytest.fixture
def g() -> Generator:
    return Generator().manual_seed(LECTURE_SEED)


def hexes(*numbers: str) -> list[float]:
    return [float.fromhex(number) for number in numbers]


class TestNumbersFromPyTorch:
    def test_rand(self, g):
        expected = hexes("0x1.6a8fde0000000p-1", "0x1.6abda80000000p-2", "0x1.afd9d00000000p-4")
        assert rand(3, g).tolist() == expected

    def test_rand_in_float64(self, g):
        expected = hexes("0x1.547efe45aaf6ap-1", "0x1.afd9da399824cp-1", "0x1.72759b31701e8p-1")
        assert rand(3, g, np.float64).tolist() == expected

    def test_randn_in_blocks(self, g):
        weights = randn((27, 27), g)
        expected = hexes(
            "0x1.913ea20000000p+0", "-0x1.e5f9840000000p-3", "-0x1.c0ab5c0000000p-6", "-0x1.19ccae0000000p+0"
        )
        assert weights[0, :4].tolist() == expected
        assert weights[26, 26] == float.fromhex("0x1.b9b7900000000p-1")  # of the last 16, drawn anew
        assert weights.dtype == np.float32

    @pytest.mark.parametrize(("mean", "std", "digest"), [(0, 1, "b3ca67016a657fd6"), (0.5, 2, "ed393704cad0f133")])
    def test_every_bit_of_ten_thousand(self, g, mean, std, digest):
        numbers = normal(mean, std, 10_001, g).astype("<f4")
        assert hashlib.sha256(numbers.tobytes()).hexdigest()[:16] == digest

    def test_randn_in_blocks_of_float64(self, g):
        expected = hexes("-0x1.d74ccb54f62f7p-1", "-0x1.a5ccc32cd8870p-1", "-0x1.ba5a21bbae925p-1")
        np.testing.assert_allclose(randn(16, g, np.float64)[:3], expected, rtol=1e-15)  # the C library's last bit

    def test_a_kept_normal_number_outlives_other_draws(self, g):
        assert randn(3, g).tolist() == hexes("-0x1.f5c3860000000p-1", "-0x1.a868b80000000p+0", "-0x1.d44e460000000p-5")
        assert randint(0, 100, 3, g).tolist() == [47, 7, 61]
        assert randn(2, g).tolist() == hexes("-0x1.5d08dc0000000p-2", "0x1.1a61c60000000p-1")

    def test_normal(self, g):
        assert normal(1.5, 0.3, 17, g)[:2].tolist() == hexes("0x1.f85f980000000p+0", "0x1.031e8a0000000p+0")

    def test_randint(self, g):
        assert randint(0, 27, 8, g).tolist() == [0, 26, 16, 12, 5, 9, 8, 19]

    def test_draws_grow_from_32_to_64_bits_at_2_to_the_28(self, g):
        assert randint(0, 2**28 - 1, 3, g).tolist() == [78989301, 73052024, 135986599]
        g.manual_seed(LECTURE_SEED)
        assert randint(0, 2**28, 3, g).tolist() == [73052010, 60392012, 51839464]

    def test_randint_over_a_wide_range(self, g):
        assert randint(-(2**40), 2**40, 3, g).tolist() == [1030328332138, 677054612044, 385256718824]

    def test_randperm(self, g):
        assert randperm(10, g).tolist() == [1, 9, 7, 4, 0, 5, 6, 8, 3, 2]

    def test_default_seed(self):
        g = Generator()
        assert g.initial_seed() == 67280421310721
        assert randint(0, 1000, 4, g).tolist() == [710, 284, 837, 820]

    def test_negative_seed(self):
        g = Generator().manual_seed(-1)
        assert g.initial_seed() == 2**64 - 1
        assert randint(0, 1000, 4, g).tolist() == [371, 978, 476, 639]


class TestMultinomialFromPyTorch:
    @pytest.fixture
    def probs(self) -> np.ndarray:
        counts = np.array([[0, 5, 3, 2], [4, 1, 1, 0], [6, 0, 2, 9], [3, 3, 0, 1]])
        smoothed = (counts + 1).astype(np.float32)
        return smoothed / smoothed.sum(1, keepdims=True)

    def test_chain_of_single_draws(self, g, probs):
        here, chain = 0, []
        for _ in range(20):
            here = multinomial(probs[here], 1, replacement=True, generator=g).item()
            chain.append(here)
        assert chain == [3, 0, 1, 1, 2, 0, 2, 3, 0, 1, 0, 2, 3, 1, 0, 1, 0, 1, 0, 2]

    def test_many_draws_with_replacement(self, g, probs):
        assert multinomial(probs[0], 12, replacement=True, generator=g).tolist() == [2, 3, 2, 0, 0, 3, 3, 1, 2, 2, 2, 1]

    def test_after_rand(self, g):
        weights = rand(3, g)
        drawn = multinomial(weights / weights.sum(), 100, replacement=True, generator=g)
        assert drawn[:20].tolist() == [1, 1, 2, 0, 0, 2, 1, 1, 0, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1]

    def test_without_replacement(self, g, probs):
        expected = [[3, 1, 2], [0, 3, 2], [3, 0, 2], [1, 0, 3]]
        assert multinomial(probs, 3, replacement=False, generator=g).tolist() == expected

    def test_a_transposed_view_is_filled_in_the_order_of_memory(self, g, probs):
        assert multinomial(probs.T, 2, replacement=False, generator=g).tolist() == [[1, 2], [3, 0], [0, 2], [0, 1]]
        g.manual_seed(LECTURE_SEED)
        copied = np.ascontiguousarray(probs.T)
        assert multinomial(copied, 2, replacement=False, generator=g).tolist() == [[3, 1], [0, 3], [0, 1], [2, 3]]

    def test_a_uniform_number_on_the_edge_belongs_to_the_share_below(self):
        class Half(Generator):
            def random64(self, count: int) -> np.ndarray:
                return np.full(count, 2**52, np.uint64)  # the lowest 53 bits over 2**53: 1/2

        assert multinomial(np.ones(4), 2, replacement=True, generator=Half()).tolist() == [1, 1]

    @pytest.mark.parametrize("num_samples", [1, 5])
    def test_a_weight_of_zero_is_never_drawn(self, g, num_samples):
        for _ in range(200):
            assert set(multinomial(np.array([0.0, 1.0, 0.0, 2.0]), num_samples, True, g).tolist()) <= {1, 3}

    def test_no_rows(self, g):
        assert multinomial(np.ones((0, 3)), 2, True, g).shape == (0, 2)


class TestState:
    def test_goes_on_from_where_it_was_taken(self, g):
        randn(5, g)  # an odd count keeps a normal number
        state = json.loads(json.dumps(g.get_state()))
        expected = randn(700, g), randn(3, g), rand(5, g)
        other = Generator()
        other.set_state(state)
        for ours, theirs in zip((randn(700, other), randn(3, other), rand(5, other)), expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)
        assert other.initial_seed() == LECTURE_SEED

    def test_seeding_forgets_the_kept_normal_number(self, g):
        first = randn(3, g)
        assert g.next_normal is not None
        g.manual_seed(LECTURE_SEED)
        assert g.next_normal is None
        np.testing.assert_array_equal(randn(3, g), first)

    def test_seed_chooses_anew(self, g):
        chosen = g.seed()
        np.testing.assert_array_equal(rand(3, g), rand(3, Generator().manual_seed(chosen)))
        assert chosen != g.seed()

    def test_raw_draws_come_in_the_same_order_in_any_portions(self, g):
        whole = Generator().manual_seed(LECTURE_SEED).random32(1500)
        np.testing.assert_array_equal(np.concatenate([g.random32(n) for n in (0, 1, 623, 2, 874)]), whole)

    def test_nothing_drawn_for_nothing_asked(self, g):
        randn(1, g)
        before = g.get_state()
        assert randn((0, 4), g).shape == (0, 4)
        assert rand(0, g).shape == (0,)
        assert randperm(0, g).shape == (0,)
        assert randperm(1, g).tolist() == [0]
        assert g.get_state() == before


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda g: g.manual_seed(2**64), ConfigError, "18446744073709551616"),
        (lambda g: g.manual_seed(1.5), ConfigError, "1.5"),
        (lambda g: g.manual_seed(True), ConfigError, "True"),
        (lambda g: g.set_state({"seed": 1}), ConfigError, "get_state"),
        (lambda _: Generator("cuda"), ConfigError, "cuda"),
        (lambda g: rand((2, -1), g), ShapeError, r"\(2, -1\)"),
        (lambda g: rand(2, g, np.int64), ConfigError, "int64"),
        (lambda g: randn(2, g, np.float16), ConfigError, "float16"),
        (lambda g: normal(0, -1, 2, g), ConfigError, "std=-1"),
        (lambda g: normal(0, math.nan, 2, g), ConfigError, "std=nan"),
        (lambda g: randint(5, 5, 2, g), ConfigError, "low=5, high=5"),
        (lambda g: randint(0, 129, 2, g, np.int8), ConfigError, "int8"),
        (lambda g: randint(-1, 5, 2, g, np.uint8), ConfigError, "uint8"),
        (lambda g: randint(0, 2**63, 2, g), ConfigError, "int64"),
        (lambda g: randint(0, 2**24 + 2, 2, g, np.float32), ConfigError, "float32"),
        (lambda g: randint(0, 2, 2, g, np.complex64), OperandError, "complex64"),
        (lambda g: randperm(-1, g), ConfigError, "n=-1"),
        (lambda g: randperm(2**28, g), ConfigError, "268435456"),
        (lambda g: multinomial(np.array([1.0, -1.0]), 2, True, g), ConfigError, r"-1\.0"),
        (lambda g: multinomial(np.array([1.0, -1.0]), 1, True, g), ConfigError, r"-1\.0"),
        (lambda g: multinomial(np.array([1.0, np.inf]), 1, True, g), ConfigError, "inf"),
        (lambda g: multinomial(np.array([1.0, np.nan]), 2, True, g), ConfigError, "nan"),
        (lambda g: multinomial(np.array([[1.0, 1.0], [0.0, 0.0]]), 1, True, g), ConfigError, "row of zeros"),
        (lambda g: multinomial(np.ones(0), 1, True, g), ConfigError, "row of zeros"),
        (lambda g: multinomial(np.full(2, 3e38, np.float32), 5, True, g), ConfigError, "overflows float32"),
        (lambda g: multinomial(np.ones(3), 4, False, g), ConfigError, "got 3 for num_samples=4"),
        (lambda g: multinomial(np.array([1.0, 0.0, 1.0]), 3, False, g), ConfigError, "got 2 for num_samples=3"),
        (lambda g: multinomial(np.ones(3), 0, True, g), ConfigError, "got 0"),
        (lambda g: multinomial(np.ones((1, 2, 3)), 1, True, g), ShapeError, r"\(1, 2, 3\)"),
        (lambda g: multinomial(np.ones(3, np.int64), 1, True, g), ConfigError, "int64"),
    ],
)
def test_misuse_is_told_in_one_line_and_draws_nothing(g, call, error, says):
    before = g.get_state()
    with pytest.raises(error, match=says) as caught:
        call(g)
    assert isinstance(caught.value, BacklightError)
    assert "\n" not in str(caught.value)
    assert g.get_state() == before


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [(np.int8, -128, 128), (np.uint8, 0, 256), (np.bool_, 0, 2), (np.float32, -(2**24), 2**24 + 1), (np.int32, -3, 4)],
)
def test_randint_fills_the_range_of_its_dtype(g, dtype, low, high):
    drawn = randint(low, high, (50, 100), g, dtype)
    assert drawn.dtype == dtype
    assert drawn.min() <= low + (high - low) * 0.01
    assert drawn.max() >= high - 1 - (high - low) * 0.01


def test_randint_over_all_but_one_of_64_bits(g):
    drawn = randint(-(2**63), 2**63 - 1, 1000, g)
    assert drawn.min() < -(2**62)
    assert drawn.max() > 2**62


def test_randperm_is_a_permutation(g):
    assert sorted(randperm(1000, g).tolist()) == list(range(1000))


@pytest.mark.parametrize("size", [15, 100_003])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_normal_numbers_have_the_asked_mean_and_deviation(g, size, dtype):
    numbers = np.concatenate([normal(3, 2, size, g, dtype) for _ in range(-(-100_000 // size))])
    assert numbers.mean() == pytest.approx(3, abs=0.03)
    assert numbers.std() == pytest.approx(2, abs=0.03)


_FLOAT32 = st.floats(width=32, allow_nan=False, allow_infinity=False, min_value=-(2.0**40), max_value=2.0**40)
_FLOAT64 = st.floats(allow_nan=False, min_value=-1e100, max_value=1e100).filter(lambda x: x == 0 or abs(x) > 1e-100)


@given(_FLOAT32, _FLOAT32, _FLOAT32)
def test_fma32_is_rounded_once(a, b, c):
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    fused = fma32(np.array([a], np.float32), np.float32(b), np.float32(c))[0]
    error = abs(Fraction(float(fused)) - exact)
    for neighbour in np.nextafter(fused, np.array([-np.inf, np.inf], np.float32)):
        assert error <= abs(Fraction(float(neighbour)) - exact)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("side", [1, -1])
def test_fma32_beside_a_tie(sign, side):
    """The sum misses the middle of two float32 by less than a float64 can tell: rounded twice, it errs."""
    a, b = 2.0**-12 * (1 + 2.0**-23), 2.0**-12 * (1 - 2.0**-23)  # a b = 2**-24 - 2**-70
    c = sign * (1 + 2.0**-23)
    assert fma32(np.array([side * a], np.float32), np.float32(b), np.float32(c))[0] == c


@given(_FLOAT64, _FLOAT64, _FLOAT64)
def test_fma64_is_rounded_once(a, b, c):
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    assert fma64(np.array([a]), b, c)[0] == exact.numerator / exact.denominator


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("side", [1, -1])
def test_fma64_beside_a_tie(sign, side):
    """As for float32: the product's own error decides, and the sum of the errors must not round it away."""
    a, b = 2.0**-27 * (1 + 2.0**-52), 2.0**-26 * (1 - 2.0**-52)  # a b = 2**-53 - 2**-157
    c = sign * (1 + 2.0**-52)
    assert fma64(np.array([side * a]), b, c)[0] == c


def test_no_negative_zero():
    for dtype in (np.float32, np.float64):
        assert not np.signbit(_scaled(np.array([-0.0], dtype), 0.0, 1.0)).any()


def test_an_infinite_deviation_gives_infinite_numbers(g):
    for size in (5, 100):
        for dtype in (np.float32, np.float64):
            assert np.isinf(normal(0, np.inf, size, g, dtype)).all()
