"""The state in which a network is judged and kept, which is not always the one in which it is trained."""

from collections.abc import Iterator
from contextlib import contextmanager

from backlight.autograd.flat import FlatParameters
from backlight.core import FloatArray
from backlight.models.neural import NeuralModel
from backlight.nn import update_bn
from backlight.text import Dataset
from backlight.training.evaluate import CHUNK_TARGETS, evenly


@contextmanager
def judged(
    model: NeuralModel, flat: FlatParameters, average: FloatArray | None, train: Dataset
) -> Iterator[NeuralModel]:
    """Within the block, hold the network as it is judged; after it, as it was, in training mode.

    Averaged weights take the place of the last ones. Batch norms get the statistics of the weights that are judged:
    those that training left belong to other weights, and cost 0.04 to 0.007 nats with averaged ones, and 0.002 with the
    last ones (docs/log.md).

    Args:
        model: the network.
        flat: its parameters.
        average: the averaged ones, if there are any.
        train: about 8,000 of these examples, evenly spaced and always the same, are what the statistics come from.
    """
    last = flat.data.copy()
    running = {name: buffer.array.copy() for name, buffer in model.named_buffers()}
    if average is not None:
        flat.data[...] = average
    model.eval()
    if running:
        update_bn(model, evenly(train, CHUNK_TARGETS).x)
    yield model
    flat.data[...] = last
    for name, buffer in model.named_buffers():
        buffer.array[...] = running[name]
    model.train()
