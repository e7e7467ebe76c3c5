"""Layers on columns are the layers on rows."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from backlight.autograd import Tensor
from backlight.core import ConfigError
from backlight.nn import GELU, Dropout, LayerNorm, Linear, Sequential, Tanh
from backlight.nn.decode_step import in_columns

LAYERS = {
    "linear": lambda rng: Linear(6, 4, rng=rng),
    "linear without bias": lambda rng: Linear(6, 4, bias=False, rng=rng),
    "layer norm": lambda _: LayerNorm(6, eps=0.1),
    "gelu": lambda _: GELU(),
    "dropout": lambda rng: Dropout(0.5, rng=rng),
    "sequence": lambda rng: Sequential(LayerNorm(6), Linear(6, 4, rng=rng), GELU(), Dropout(0.5, rng=rng)),
}


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
@pytest.mark.parametrize("width", [1, 7])
def test_columns_are_rows_turned(make, width, rng):
    layer = make(rng).to(np.float64).eval()
    for parameter in layer.parameters():
        parameter.array[...] = rng.standard_normal(parameter.shape)
    x_CB = rng.standard_normal((6, width))
    before = x_CB.copy()
    assert_allclose(in_columns(layer, x_CB), layer(Tensor(x_CB.T)).detach().numpy().T, rtol=1e-12, atol=1e-14)
    assert_allclose(x_CB, before, rtol=0)


def test_other_layers_are_refused_in_one_line():
    with pytest.raises(ConfigError, match=r"^decoding supports .*; got Tanh\.$"):
        in_columns(Tanh(), np.zeros((2, 3)))
