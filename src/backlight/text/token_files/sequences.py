"""Token files as the examples of a training."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from backlight.core import BOUNDARY, NOT_A_TARGET, Batch, ConfigError, DataError, IntArray
from backlight.text.token_files.order import Shuffled
from backlight.text.token_files.stream import TokenStream

_ORDER: Final = 1
"""Makes the seed of an order another than that of the place where an epoch is cut."""


@dataclass(frozen=True)
class Counts:
    """What is counted in the ids that are targets: all but the first, which nothing precedes.

    An end token counts as one character and one byte.

    Attributes:
        targets: the number of ids.
        characters: the number of characters for which they stand; `targets` if that is not known.
        bytes: the number of bytes in UTF-8; 0 if that is not known.
    """

    targets: int
    characters: int
    bytes: int


class TokenSequences:
    """Examples of T tokens, each with the next one as the target at every position.

    `batch` and `chunks` cut the stream into consecutive examples, of which the last may be padded. `minibatch` gives
    those of a training: in each epoch, the stream is cut at another place into N windows of T + 1 ids that overlap by
    one, and each window is read exactly once, in an order of its own. The k-th example of a training is a function of
    k and the seed, so a training resumes at any step, and nothing is kept in memory. At most 2 T ids at the ends of the
    stream are left out of an epoch.

    Args:
        stream: the ids of the files.
        places: (V,) our id of each id of the files.
        context: T, 1 or larger.
        counts: what is counted in the targets.
        seed: the seed of the order.

    Attributes:
        context: T.
        targets: the number of ids that have one before them.
        characters: `counts.characters`.
        windows: N, the number of examples in an epoch.

    Shape: `x` (size, T) int64, `y` (size, T) int64; T is smaller if the stream is.

    Raises:
        DataError: there is no target.
        ConfigError: the context is below 1.
    """

    def __init__(self, stream: TokenStream, places: IntArray, context: int, *, counts: Counts, seed: int) -> None:
        if context < 1:
            raise ConfigError(f"context must be 1 or larger; got {context}. Try 256.")
        if len(stream) < 2:
            raise DataError(f"a data set needs two tokens, of which one is a target; got {len(stream)}. Use more text.")
        self.context, self.counts = context, counts
        self.targets, self.characters = len(stream) - 1, counts.characters
        self._stream, self._places, self._seed = stream, places, seed
        self._width = min(context, self.targets)
        # cut anywhere in the first T ids, there are N windows; fewer places are left where the stream is short
        self.windows = max(1, (self.targets + 1 - self._width) // self._width)
        self._offsets = min(self._width, self.targets - self.windows * self._width + 1)

    def __len__(self) -> int:
        """Return the number of consecutive examples."""
        return (self.targets + self._width - 1) // self._width

    def batch(self, rows: IntArray) -> Batch:
        """Return the consecutive examples with indices `rows`, (size,) in 0..len-1."""
        starts = rows * self._width
        # the last example ends with the stream; what an earlier one has already is no target
        late = np.maximum(starts + self._width - self.targets, 0)
        batch = self._read(starts - late)
        for row in np.flatnonzero(late):
            x, y, count = batch.x[row], batch.y[row], self._width - int(late[row])
            x[:count], y[:count] = x[-count:].copy(), y[-count:].copy()
            x[count:], y[count:] = BOUNDARY, NOT_A_TARGET
        return batch

    def sample(self, size: int, rng: np.random.Generator) -> Batch:
        """Return `size` examples from anywhere in the stream, drawn uniformly with replacement."""
        places = self.targets - self._width + 1
        return self._read((rng.random(size) * places).astype(np.int64))

    def minibatch(self, step: int, size: int, rng: Any) -> Batch:
        """Return the `size` examples of a training step, counted from 0; `rng` is not used."""
        del rng
        return self._read(self.starts(np.arange(step * size, (step + 1) * size)))

    def starts(self, numbers: IntArray) -> IntArray:
        """Return where the examples of a training begin in the stream, by their numbers from 0. Shape: (n,)."""
        epochs, within = np.divmod(numbers, self.windows)
        starts = np.empty(len(numbers), np.int64)
        for epoch in np.unique(epochs).tolist():
            here = epochs == epoch
            offset = int(np.random.SeedSequence((self._seed, epoch)).generate_state(1, np.uint64)[0]) % self._offsets
            order = Shuffled(self.windows, (self._seed, epoch, _ORDER))
            starts[here] = offset + self._width * order.at(within[here])
        return starts

    def chunks(self, size: int) -> Iterator[Batch]:
        """Yield every consecutive example once, `size` at a time; the last batch may be shorter."""
        for start in range(0, len(self), size):
            yield self.batch(np.arange(start, min(start + size, len(self))))

    def _read(self, starts: IntArray) -> Batch:
        found = self._stream.windows(starts, self._width + 1)
        if found.size and found.max() >= len(self._places):  # the file has changed since the run began
            row, column = np.unravel_index(int(found.argmax()), found.shape)
            raise self._stream.too_large(int(starts[row] + column), int(found.max()), len(self._places))
        ids = self._places[found]
        return Batch(ids[:, :-1].copy(), ids[:, 1:].copy())  # apart from each other, since `batch` writes to both
