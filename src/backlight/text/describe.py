"""Statistics of a corpus."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from backlight.text.codepoints import character_counts
from backlight.text.corpora import Corpus, Mode
from backlight.text.items import Items

LONGEST_SHOWN = 3
CHARACTERS_SHOWN = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusDescription:
    """Statistics of a corpus. Lengths are in characters, without boundaries.

    Attributes:
        name: name of the corpus.
        mode: `items` or `text`; a text counts as one item.
        sha256: checksum of the corpus.
        items: number of items, including copies.
        distinct: number of distinct items.
        duplicates: items - distinct.
        characters: number of characters in all items.
        targets: number of targets: the characters, and the end of each item (a text has none).
        shortest: length of the shortest item.
        mean_length: characters / items.
        median_length: median length of the items.
        longest: length of the longest item.
        longest_items: up to three of the longest items, each cut to 60 characters.
        counts: each character and its count, most frequent first.
        vocabulary_size: V, the number of distinct characters and the boundary.
        uniform_nats: ln V, the loss of a uniform guess in nats per character.
        total_weight: sum of the weights; None if there are none.
    """

    name: str
    mode: Mode
    sha256: str
    items: int
    distinct: int
    duplicates: int
    characters: int
    targets: int
    shortest: int
    mean_length: float
    median_length: float
    longest: int
    longest_items: tuple[str, ...]
    counts: tuple[tuple[str, int], ...]
    vocabulary_size: int
    uniform_nats: float
    total_weight: float | None

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values for JSON."""
        record = asdict(self)
        record["longest_items"] = list(self.longest_items)
        record["counts"] = dict(self.counts)
        return record


def describe(corpus: Corpus) -> CorpusDescription:
    """Count the items, lengths and characters of a corpus."""
    items = Items.of(corpus.items)
    lengths = items.lengths()
    counts = character_counts(items.codes())
    codes = np.flatnonzero(counts)
    by_count = codes[np.argsort(-counts[codes], kind="stable")]
    distinct = np.unique(items.kinds(), return_index=True)[1]  # the first occurrence of each text
    longest = distinct[np.argsort(-lengths[distinct], kind="stable")[:LONGEST_SHOWN]]
    characters = int(lengths.sum())
    return CorpusDescription(
        name=corpus.name,
        mode=corpus.mode,
        sha256=corpus.sha256,
        items=len(items),
        distinct=len(distinct),
        duplicates=len(items) - len(distinct),
        characters=characters,
        targets=characters + (len(items) if corpus.mode == "items" else 0),
        shortest=int(lengths.min()),
        mean_length=characters / len(items),
        median_length=float(np.median(lengths)),
        longest=int(lengths.max()),
        longest_items=tuple(_cut(item) for item in items.take(longest)),
        counts=tuple((chr(code), int(counts[code])) for code in by_count.tolist()),
        vocabulary_size=len(codes) + 1,
        uniform_nats=math.log(len(codes) + 1),
        total_weight=None if corpus.weights is None else float(corpus.weights.sum()),
    )


def _cut(item: str) -> str:
    return item if len(item) <= CHARACTERS_SHOWN else item[: CHARACTERS_SHOWN - 1] + "\N{HORIZONTAL ELLIPSIS}"
