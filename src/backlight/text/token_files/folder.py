"""A folder of token files: its shards, its tokenizer, and what `tokens.json` says of them."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from backlight.core import BOUNDARY, DataError, IntArray, VocabularyError
from backlight.text.token_files.format import UINT16, UINT32, TokenFile
from backlight.text.token_files.names import ABOUT, is_shard
from backlight.text.token_files.sequences import Counts
from backlight.text.token_files.stream import TokenStream
from backlight.text.tokenizers.bpe import BPETokenizer
from backlight.text.tokenizers.numbers import NAME as NUMBERS
from backlight.text.tokenizers.numbers import NumberVocabulary
from backlight.text.tokenizers.protocol import TextVocabulary
from backlight.text.tokenizers.vocabulary import TokenVocabulary
from backlight.text.vocabulary import CHARACTERS, Vocabulary

TOKENIZER, CHARACTERS_FILE = "tokenizer.json", "characters.json"
FORMAT: Final = "backlight.tokens"
VERSION: Final = 1
PARTS: Final = ("train", "val")
Part = Literal["train", "dev", "test"]
_SAMPLE: Final = 1 << 16


class TokenFiles:
    """Token files, as the three parts of a text.

    The files with "train" and "val" in their names are the two parts that nanoGPT and llm.c have; dev and test are the
    two halves of val. A single file, or a folder without val, is cut into three parts.

    Args:
        path: a folder or a file.
        fractions: fractions of train, dev and test, where there is no val.
        tokens: the name of a tokenizer, "gpt2", for files that have none beside them.
        own: the vocabulary of files that have no tokenizer beside them.

    Attributes:
        path: as given.
        parts: the streams of "train", "dev" and "test".
        vocabulary: the vocabulary; a `NumberVocabulary` if there is no tokenizer.
        tokens: its name for a run's configuration: "characters", "bpe:N" or "numbers".

    Raises:
        DataError: a file is missing, cut off, of another format, too short, or has an id that no token has.
    """

    def __init__(
        self, path: str, *, fractions: tuple[float, float, float] = (0.8, 0.1, 0.1), tokens: str | None = None,
        own: TextVocabulary | None = None,
    ) -> None:  # fmt: skip
        self.path = path
        place = Path(path)
        self._folder = place if place.is_dir() else place.parent
        self._about = _about(self._folder) if place.is_dir() else {}
        self._files = {part: self._open(part) for part in PARTS} if place.is_dir() else {"train": [_file(place)]}
        self.parts = self._parts(fractions)
        self.vocabulary = self._vocabulary(tokens, own)
        self.tokens = _name_of(self.vocabulary)

    def _open(self, part: str) -> list[TokenFile]:
        if self._about:
            dtype = UINT32 if self._about["dtype"] == "uint32" else UINT16
            return [_listed(self._folder, shard, dtype) for shard in self._about[part]["shards"]]
        names = sorted(one for one in os.listdir(self._folder) if is_shard(one, part))  # noqa: PTH208
        return [_file(self._folder / name) for name in names]

    def _parts(self, fractions: tuple[float, float, float]) -> dict[Part, TokenStream]:
        train, val = (TokenStream.of(self._files.get(part, [])) for part in PARTS)
        if len(val):
            cuts = [len(val) // 2]
            found = train, val.part(0, cuts[0]), val.part(cuts[0], len(val))
        else:
            cuts = [int(fractions[0] * len(train)), int(round(fractions[0] + fractions[1], 12) * len(train))]
            found = train.part(0, cuts[0]), train.part(*cuts), train.part(cuts[1], len(train))
        if min(map(len, found)) < 2:
            raise DataError(
                f"train, dev and test need two tokens each; {self.path!r} has {len(train):,} tokens for training and "
                f"{len(val):,} held out. Use more text."
            )
        return dict(zip(("train", "dev", "test"), found, strict=True))

    def _vocabulary(self, tokens: str | None, own: TextVocabulary | None) -> TextVocabulary:
        beside = vocabulary_in(self._folder)
        if beside is not None:
            if tokens is not None:
                raise DataError(
                    f"token files must be read with the tokenizer beside them; got {tokens}, and {str(self._folder)!r} "
                    "has its own. Leave tokens out."
                )
            return beside
        if own is not None:
            return own
        if tokens is not None:
            return TokenVocabulary(BPETokenizer.load(tokens))
        largest = max(int(block.max()) for stream in self.parts.values() for block in stream.blocks())
        return NumberVocabulary(largest + 1)

    @cached_property
    def places(self) -> IntArray:
        """Our id of each id of the files. Shape: (V,)."""
        return places_of(self.vocabulary)

    @cached_property
    def counts(self) -> dict[Part, Counts]:
        """What is counted in each part. All files are read.

        Raises:
            DataError: an id is not in the vocabulary.
        """
        for stream in self.parts.values():
            stream.check_below(len(self.places))
        if isinstance(self.vocabulary, NumberVocabulary):
            return {part: Counts(len(of) - 1, len(of) - 1, 0) for part, of in self.parts.items()}
        spelled = [_spelling(self.vocabulary, place) for place in self.places.tolist()]
        # the end token, whose spelling is empty, is one
        bytes_ = np.array([max(1, len(raw)) for raw in spelled])
        characters = np.array([sum(byte & 0xC0 != 0x80 for byte in raw) if raw else 1 for raw in spelled])
        found: dict[Part, Counts] = {}
        for part, stream in self.parts.items():
            targets = stream.part(1, len(stream))
            sums = np.sum([(characters[ids].sum(), bytes_[ids].sum()) for ids in targets.blocks()], axis=0)
            found[part] = Counts(len(targets), int(sums[0]), int(sums[1]))
        return found

    @property
    def known(self) -> bool:
        """Whether there is a tokenizer."""
        return self.tokens != NUMBERS

    def checksum(self) -> str:
        """Return a checksum of the names and sizes of all files, and of 128 KB or more of each."""
        sha = hashlib.sha256()
        for part, files in self._files.items():
            for one in files:
                step = max(1, len(one.ids) // _SAMPLE)
                sha.update(f"{part} {one.path.name} {one.ids.dtype.str} {len(one.ids)}\n".encode())
                sha.update(np.ascontiguousarray(one.ids[::step]).tobytes())
        return sha.hexdigest()

    def documents(self, part: Part, tokens: int) -> list[str]:
        """Return the documents in the first tokens of a part, of which the last is cut off.

        Raises:
            DataError: an id is not in the vocabulary.
        """
        stream = self.parts[part]
        begin = stream.part(0, min(tokens, len(stream)))
        begin.check_below(len(self.places))
        ids = self.places[begin.read(0, len(begin))]
        split = np.split(ids, np.flatnonzero(ids == BOUNDARY))
        return [self.vocabulary.decode(one) for one in split if (one != BOUNDARY).any()]

    @property
    def note(self) -> str:
        """A line that says what was read."""
        files = sum(map(len, self._files.values()))
        dtypes = sorted({one.ids.dtype.name for of in self._files.values() for one in of})
        sizes = ", ".join(f"{part} {len(stream):,}" for part, stream in self.parts.items())
        unknown = "" if self.known else " There is no tokenizer beside them; for GPT-2's, add --tokens gpt2."
        return f"{files:,} token file{'s' * (files != 1)} of {' and '.join(dtypes)}: {sizes} tokens.{unknown}"


def places_of(vocabulary: TextVocabulary) -> IntArray:
    """Return our id of each id of token files: those of the tokenizer, and then the end token if it is none of them."""
    if isinstance(vocabulary, TokenVocabulary):
        return vocabulary.order
    if isinstance(vocabulary, NumberVocabulary):
        return np.arange(1, vocabulary.size)
    return np.roll(np.arange(vocabulary.size), -1)


def vocabulary_in(folder: Path) -> TextVocabulary | None:
    """Return the vocabulary of the tokenizer in a folder; None if there is none."""
    if (folder / CHARACTERS_FILE).is_file():
        return Vocabulary.from_json(_json(folder / CHARACTERS_FILE))
    if (folder / TOKENIZER).is_file():
        return TokenVocabulary(BPETokenizer.load(folder / TOKENIZER))
    return None


def _spelling(vocabulary: TextVocabulary, place: int) -> bytes:
    """Return the bytes of an id; none for an id that no token has, as some tokenizers leave out."""
    try:
        return vocabulary.spelling(place)
    except VocabularyError:
        return b""


def _name_of(vocabulary: TextVocabulary) -> str:
    if isinstance(vocabulary, TokenVocabulary):
        return f"bpe:{vocabulary.tokenizer.size}"
    return NUMBERS if isinstance(vocabulary, NumberVocabulary) else CHARACTERS


def _file(path: Path) -> TokenFile:
    return TokenFile.open(path)


@dataclass(frozen=True)
class _Shard:
    file: str
    tokens: int


def _listed(folder: Path, shard: _Shard, dtype: np.dtype[Any]) -> TokenFile:
    """Open a shard that `tokens.json` lists."""
    found = TokenFile.open(folder / shard.file, dtype)
    if len(found.ids) != shard.tokens or found.ids.dtype != dtype:
        raise DataError(
            f"a shard must be what {ABOUT} says, {shard.tokens:,} tokens of {dtype.name}; {str(found.path)!r} has "
            f"{len(found.ids):,} of {found.ids.dtype.name}. Encode the text again."
        )
    return found


def _about(folder: Path) -> dict[str, Any]:
    """Return what `tokens.json` says; nothing if there is none, as beside nanoGPT's own files."""
    if not (folder / ABOUT).is_file():
        return {}
    values = _json(folder / ABOUT)
    try:
        if (values["format"], values["version"]) != (FORMAT, VERSION) or values["dtype"] not in {"uint16", "uint32"}:
            raise ValueError  # noqa: TRY301  (one message for all that is wrong)
        parts = {
            part: {"shards": [_Shard(str(one["file"]), int(one["tokens"])) for one in values[part]["shards"]]}
            for part in PARTS
        }
    except (KeyError, TypeError, ValueError):
        raise DataError(
            f"{str(folder / ABOUT)!r} must be what this version of Backlight wrote; it is not. Encode the text again."
        ) from None
    return {**values, **parts}


def _json(path: Path) -> Mapping[str, Any]:
    try:
        values = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(f"{str(path)!r} must be JSON; it is not ({str(error)[:80]}). Encode the text again.") from None
    if not isinstance(values, Mapping):
        raise DataError(f"{str(path)!r} must be an object; it is not. Encode the text again.")
    return values
