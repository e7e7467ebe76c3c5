"""What the network learns: seven arrays."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from backlight.core import FloatArray


class Weights(NamedTuple):
    """The seven arrays of the MLP with batch norm; or the seven gradients, which have the same shapes.

    V characters, E numbers each, T of them read at once: I = T E inputs to H tanh units.

    Attributes:
        C: (V, E), a vector for each character.
        W1: (I, H).
        b1: (H,). Batch norm takes it away again; it is here to be seen to have no gradient.
        gain: (H,), of batch norm.
        shift: (H,), of batch norm.
        W2: (H, V).
        b2: (V,).
    """

    C: FloatArray
    W1: FloatArray
    b1: FloatArray
    gain: FloatArray
    shift: FloatArray
    W2: FloatArray
    b2: FloatArray


def first_weights(
    vocabulary_size: int, *, context: int = 3, embedding: int = 10, hidden: int = 64, rng: np.random.Generator,
    dtype: DTypeLike = np.float32,
) -> Weights:  # fmt: skip
    """Return weights to begin with, in the lecture's sizes unless told otherwise.

    Biases start near 0 and the gain near 1, but not there: a wrong gradient of theirs might not show.

    Args:
        vocabulary_size: V, the boundary included.
        context: how many characters are read, T.
        embedding: length of a character's vector, E.
        hidden: tanh units, H; the lecture has 64 for the first three exercises and 200 for the last.
        rng: where they come from.
        dtype: float32 to train, float64 to compare gradients.
    """
    fan_in = context * embedding

    def gaussian(*shape: int, scale: float = 0.1, mean: float = 0.0) -> FloatArray:
        return (mean + scale * rng.standard_normal(shape)).astype(dtype)

    return Weights(
        C=gaussian(vocabulary_size, embedding, scale=1.0),
        W1=gaussian(fan_in, hidden, scale=5 / 3 / math.sqrt(fan_in)),
        b1=gaussian(hidden),
        gain=gaussian(hidden, mean=1.0),
        shift=gaussian(hidden),
        W2=gaussian(hidden, vocabulary_size),
        b2=gaussian(vocabulary_size),
    )
