"""The average follows the weights, by the kernel as by NumPy."""

import numpy as np
import pytest

from backlight.optim import averaging, move_average


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_average_moves_a_share_of_the_way(native, dtype, rng, monkeypatch):
    if not native:
        monkeypatch.setattr(averaging, "library", lambda: None)
        monkeypatch.setattr(averaging, "BLOCK", 7)
    average, data = (rng.standard_normal(45).astype(dtype) for _ in range(2))
    wanted = 0.8 * average.astype(float) + 0.2 * data
    before = data.copy()
    move_average(average, data, 0.8)
    np.testing.assert_allclose(average, wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(data, before)
    move_average(average, data, 0)
    np.testing.assert_array_equal(average, data)
