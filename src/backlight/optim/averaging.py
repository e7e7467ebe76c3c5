"""A running average of the weights, which is judged and kept in place of the last ones."""

from backlight.core import FloatArray
from backlight.optim.blending import blend


def update_ema(average: FloatArray, data: FloatArray, decay: float) -> None:
    """Let an average, (P,), follow the weights, (P,), in place: average = decay average + (1 - decay) data.

    Args:
        average: exponentially weighted, over about the last 1 / (1 - decay) calls.
        data: the weights as they are now.
        decay: from 0, which takes the weights as they are, to 1.
    Source: Polyak & Juditsky 1992, with an exponential window.
    """
    blend(average, data, keep=decay, take=1 - decay)
