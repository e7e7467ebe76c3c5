"""Learning merges from text: the same merges as in plain/, without scanning the text for each one.

Four ideas make it fast. Every distinct piece is stored once, with its count. Every pair has its count and the places
where it begins, so that a merge visits only those places and updates the counts of the neighbours. A heap gives the
most frequent pair. And where there is a compiler, all of it runs in C: native/training.h is this file in C.

The next merge is the most frequent pair; of ties, the pair whose first occurrence in the current text comes first.
minbpe and tiktoken's educational trainer break ties in the same way; others do not (docs/tokenizers.md).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from heapq import heapify, heappop, heappush, heapreplace
from typing import Final

from backlight.text.tokenizers import native
from backlight.text.tokenizers.splitting import Splitter, utf8, utf8_of

BYTES: Final = 256
BLOCK: Final = 1 << 22
"""The number of bytes that are passed to the kernels at a time."""

AT_A_TIME: Final = 1024
"""The number of merges after which Python can handle Ctrl-C."""

GAP: Final = -1
DEAD: Final = -2

Pair = tuple[int, int]


def learn_merges(texts: Iterable[str], count: int, splitter: Splitter) -> list[Pair]:
    """Return the pairs that byte-pair encoding merges, in order.

    Ids 0 to 255 are the bytes, and merge i (from 0) makes the id 256 + i. No merge spans two texts or two pieces.

    Args:
        texts: the training texts.
        count: number of merges; there are fewer if no pair is left.
        splitter: splits each text into pieces.

    Raises:
        VocabularyError: a text contains a lone surrogate.
        DataError: there are more than 4 GiB of distinct pieces.
    """
    return (_learn_natively if native.available() else _learn_in_python)(texts, count, splitter)


def _learn_natively(texts: Iterable[str], count: int, splitter: Splitter) -> list[Pair]:
    trainer = native.Trainer()
    rule = splitter.rule
    raw = utf8_of(texts) if rule is not None else (utf8(piece) for text in texts for piece in splitter.split(text))
    for block in _blocks(raw):
        trainer.add(rule or native.SplitRule.of(native.WHOLE), block)
    trainer.start(count)
    merges: list[Pair] = []
    while len(merges) < count:
        more = trainer.merge(min(AT_A_TIME, count - len(merges)))
        if not more:
            break
        merges += more
    return merges


def _blocks(texts: Iterable[bytes]) -> Iterator[list[bytes]]:
    block, size = [], 0
    for text in texts:
        block.append(text)
        size += len(text)
        if size >= BLOCK:
            yield block
            block, size = [], 0
    if block:
        yield block


def _learn_in_python(texts: Iterable[str], count: int, splitter: Splitter) -> list[Pair]:
    pieces = Counter(utf8(piece) for text in texts for piece in splitter.split(text))
    merging = _Merging(pieces)
    merges: list[Pair] = []
    while len(merges) < count and (pair := merging.best()) is not None:
        merging.merge(pair, BYTES + len(merges))
        merges.append(pair)
    return merges


class _Merging:
    """The pieces and their pairs, during training.

    There is a cell for each byte. A token's id is stored in the cells of its first and last byte, so that both of its
    neighbours are found without links. A gap separates the pieces.

    Args:
        pieces: the count of each distinct piece, in order of first occurrence.
    """

    def __init__(self, pieces: Counter[bytes]) -> None:
        self.lengths = [1] * BYTES  # length of each token in bytes
        self.cells = [GAP]
        self.times = [0]  # the count of the piece of each cell
        for piece, times in pieces.items():
            self.cells += [*piece, GAP]
            self.times += [times] * (len(piece) + 1)
        self.counts: dict[Pair, int] = defaultdict(int)
        self.places: dict[Pair, list[int]] = defaultdict(list)  # where the pair has begun at some time, in order
        for place, pair in enumerate(zip(self.cells, self.cells[1:], strict=False)):
            if GAP not in pair:
                self.counts[pair] += self.times[place]
                self.places[pair].append(place)
        # Most frequent first, then earliest. Both can only get worse, so an outdated entry is never popped too late.
        self.heap = [(-count, self.places[pair][0], 0, pair) for pair, count in self.counts.items()]
        heapify(self.heap)

    def is_at(self, pair: Pair, place: int) -> bool:
        left, right = pair
        return self.cells[place] == left and self.cells[place + self.lengths[left]] == right

    def best(self) -> Pair | None:
        """Return the pair to merge next, or None if there is none left."""
        while self.heap:
            *_, nth, pair = self.heap[0]
            count, places = self.counts[pair], self.places[pair]
            if not count:
                heappop(self.heap)
                continue
            while not self.is_at(pair, places[nth]):
                nth += 1
            now = (-count, places[nth], nth, pair)
            if now == self.heap[0]:
                return pair
            heapreplace(self.heap, now)
        return None

    def merge(self, pair: Pair, token: int) -> None:
        """Replace a pair by a token everywhere, from left to right, and update the neighbouring pairs."""
        left, right = pair
        length = self.lengths[left] + self.lengths[right]
        self.lengths.append(length)
        made: dict[Pair, None] = {}  # an ordered set
        for place in self.places.pop(pair):
            if not self.is_at(pair, place):
                continue
            before, after, times = self.cells[place - 1], self.cells[place + length], self.times[place]
            self.cells[place + self.lengths[left]] = DEAD
            self.cells[place] = self.cells[place + length - 1] = token
            if before != GAP:
                self.counts[before, left] -= times
                self._add((before, token), place - self.lengths[before], times, made)
            if after != GAP:
                self.counts[right, after] -= times
                self._add((token, after), place, times, made)
        self.counts[pair] = 0  # overlapping pairs, as in aaa, were counted but are gone
        for new in made:
            heappush(self.heap, (-self.counts[new], self.places[new][0], 0, new))

    def _add(self, pair: Pair, place: int, times: int, made: dict[Pair, None]) -> None:
        self.counts[pair] += times
        self.places[pair].append(place)
        made[pair] = None
