"""One array moved by another, and the average that follows the weights: by the kernel as by NumPy."""

import numpy as np
import pytest

from backlight.optim import blending, update_ema
from backlight.optim.blending import blend


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_average_moves_a_share_of_the_way(native, dtype, rng, monkeypatch):
    if not native:
        monkeypatch.setattr(blending, "library", lambda: None)
        monkeypatch.setattr(blending, "BLOCK", 7)
    average, data = (rng.standard_normal(45).astype(dtype) for _ in range(2))
    wanted = 0.8 * average.astype(float) + 0.2 * data
    before = data.copy()
    update_ema(average, data, 0.8)
    np.testing.assert_allclose(average, wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(data, before)
    update_ema(average, data, 0)
    np.testing.assert_array_equal(average, data)


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize(("keep", "take"), [(1.0, -0.1), (0.9, 1.0), (0.0, 1.0)])
def test_blends(native, keep, take, rng, monkeypatch):
    if not native:
        monkeypatch.setattr(blending, "library", lambda: None)
        monkeypatch.setattr(blending, "BLOCK", 7)
    moved, by = (rng.standard_normal(45).astype("f4") for _ in range(2))
    wanted = keep * moved.astype(float) + take * by
    blend(moved, by, keep=keep, take=take)
    np.testing.assert_allclose(moved, wanted, rtol=1e-5, atol=1e-6)
