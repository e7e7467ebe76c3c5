"""The weights of the network: seven arrays."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from backlight.core import FloatArray


class Weights(NamedTuple):
    """The weights of the MLP with batch norm, or their gradients, which have the same shapes.

    V characters with embeddings of length E, of which T are read at once, give I = T E inputs to H tanh units.

    Attributes:
        C: (V, E), the embedding of each character.
        W1: (I, H).
        b1: (H,). Batch norm subtracts it again, so its gradient is 0; it is here to show that.
        gain: (H,), the scale of batch norm.
        shift: (H,), the offset of batch norm.
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
    """Return initial weights, by default with the lecture's sizes.

    Biases start near 0 and gains near 1, but not exactly, since a wrong gradient might not show there.

    Args:
        vocabulary_size: V, including the boundary.
        context: number of characters that are read, T.
        embedding: embedding dimension of each character, E.
        hidden: number of tanh units, H; the lecture uses 64 for the first three exercises and 200 for the last.
        rng: the random generator.
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
