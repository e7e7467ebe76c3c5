"""Writing token files: texts to ids in shards, by several processes and in bounded memory."""

import gzip
import json
import os
import shutil
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np

from backlight.core import ConfigError, DataError, IntArray
from backlight.core.settings import check_settings, setting
from backlight.text.codepoints import characters_in
from backlight.text.corpora import CORPORA, load_corpus
from backlight.text.files import files_in
from backlight.text.items import Items
from backlight.text.reading import GZIP_MARK
from backlight.text.records.reading import AS_IT_IS, END_OF_TEXT, Reading
from backlight.text.token_files.documents import Block, blocks_of, documents, sampled, source_of
from backlight.text.token_files.folder import (
    CHARACTERS_FILE,
    FORMAT,
    PARTS,
    TOKENIZER,
    VERSION,
    places_of,
    vocabulary_in,
)
from backlight.text.token_files.format import HEADER, UINT16, UINT32, Layout, header
from backlight.text.token_files.names import ABOUT
from backlight.text.token_files.workers import in_order
from backlight.text.tokenizers.bpe import BPETokenizer
from backlight.text.tokenizers.choosing import pairs_of
from backlight.text.tokenizers.protocol import TextVocabulary
from backlight.text.tokenizers.vocabulary import TokenVocabulary
from backlight.text.vocabulary import CHARACTERS, Vocabulary

LEARNT_FROM: Final = 1 << 26
"""The number of bytes, of blocks evenly spaced over the text, from which byte pairs are learnt."""

_COPIED: Final = 1 << 20


@dataclass(frozen=True, kw_only=True)
class EncodeConfig:
    """How texts are written as token files.

    Args:
        tokens: "gpt2", "characters", "bpe:N", or the path of a tokenizer or of token files, whose tokenizer is used.
        layout: "llm.c", shards with a header; or "nanogpt", one file a part without one.
        shard_tokens: the number of ids in a shard.
        val: the share that is held out: of running text the end of each file, otherwise documents by their content, so
            that all copies of a document are in the same part.
        seed: decides which documents are held out.
        processes: the number of processes. The files do not depend on it.

    Raises:
        ConfigError: a setting of the wrong type or out of range.
    """

    tokens: str = setting("gpt2, characters, bpe:N, or the path of a tokenizer or of token files.", default="gpt2")
    layout: Layout = setting(  # noqa: RUF009  (a field, of an immutable type)
        "llm.c: shards with a header; nanogpt: train.bin and val.bin without one.", default="llm.c"
    )
    shard_tokens: int = setting("Tokens in each shard of llm.c.", default=100_000_000, at_least=1, at_most=2**31 - 1)
    val: float = setting("Share of the text that is held out, as val.", default=0.1, at_least=0, below=1)
    seed: int = setting("Random seed: which documents are held out.", default=42, at_least=0, at_most=2**32 - 1)
    processes: int = setting("Processes that encode.", default=1, at_least=1, at_most=1_000)

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass
class Tally:
    """What was written of a part: documents, and the characters and bytes of their texts.

    Attributes:
        shards: the files, each with its number of ids.
    """

    tokens: int = 0
    documents: int = 0
    characters: int = 0
    bytes: int = 0
    shards: list[dict[str, Any]] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        """Add what another one counts."""
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))


def encode_files(
    sources: Sequence[str], folder: Path, encoding: EncodeConfig, reading: Reading = AS_IT_IS
) -> dict[str, Any]:
    """Write files as token files into an empty folder, and return what `tokens.json` says.

    An end token precedes each document, as in llm.c. Texts are encoded as they are: the characters `<|endoftext|>` in
    one do not become the token. The files are the same for every number of processes.

    Args:
        sources: the name of a corpus, or paths of files and folders.
        folder: the folder; an error leaves part of the files there.
        encoding: tokens, layout and processes.
        reading: how documents are found in the files.

    Memory: per process, up to four blocks of 4 MB and their ids; of Parquet, one row group.

    Raises:
        DataError: a file cannot be read, or has no text; or the layout cannot hold these ids.
        ConfigError: a setting out of range, or of another format.
        VocabularyError: a character is not in the vocabulary.
        ProcessEndedError: one of the processes was ended.
    """
    scratch = folder / ".plain"
    scratch.mkdir()
    found = [source_of(path, name, reading) for path, name in _plain_files(sources, scratch)]
    blocks = list(chain.from_iterable(blocks_of(one, encoding.val) for one in found))
    vocabulary = _vocabulary(encoding, blocks)
    size = len(places_of(vocabulary))
    dtype = UINT16 if size <= 1 << 16 else UINT32
    if encoding.layout == "nanogpt" and dtype != UINT16:
        raise ConfigError(
            f"nanoGPT's files have ids of uint16; this vocabulary has {size:,} tokens. Use the layout llm.c."
        )
    writers = {part: _Shards(folder, part, encoding, dtype) for part in PARTS}
    arguments = (vocabulary, encoding.val, encoding.seed, dtype)
    for parts in in_order(_encode, blocks, encoding.processes, _prepare, arguments):
        for part, (ids, tally) in zip(PARTS, parts, strict=True):
            writers[part].write(ids, tally)
    for writer in writers.values():
        writer.close()
    shutil.rmtree(scratch)
    if not writers["train"].tally.tokens:
        raise DataError("token files need a document; the files have none that is not blank. Give other files.")
    return _finish(folder, vocabulary, encoding, dtype, {part: one.tally for part, one in writers.items()})


def _finish(
    folder: Path, vocabulary: TextVocabulary, encoding: EncodeConfig, dtype: np.dtype[Any], tallies: dict[str, Tally]
) -> dict[str, Any]:
    """Write the tokenizer and `tokens.json`."""
    if isinstance(vocabulary, TokenVocabulary):
        vocabulary.tokenizer.save(folder / TOKENIZER)
    else:
        (folder / CHARACTERS_FILE).write_text(json.dumps(vocabulary.to_json()), encoding="utf-8")
    places = places_of(vocabulary)
    about = {
        "format": FORMAT, "version": VERSION, "tokens": encoding.tokens, "vocabulary_size": len(places),
        "end_token": int(np.argmin(places)), "dtype": dtype.name, "layout": encoding.layout,
        **{part: asdict(tally) for part, tally in tallies.items()},
    }  # fmt: skip
    (folder / ABOUT).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    return about


# -- the files that are read -------------------------------------------------------------------------------------------


def _plain_files(sources: Sequence[str], scratch: Path) -> Iterator[tuple[str, str]]:
    """Yield path and name of each file; a corpus of this package and a gzip file are first written to a folder."""
    for source in sources:
        if source in CORPORA:
            corpus = load_corpus(source)
            place = scratch / f"{source}.txt"
            items = Items.of(corpus.items)
            place.write_bytes(b"".join(chain.from_iterable((item, b"\n") for item in items.raw())))
            yield str(place), source
            continue
        for path in files_in(source):
            try:
                yield _unpacked(path, scratch), path
            except FileNotFoundError:
                raise DataError(f"a text is a file or a folder; there is no {path!r}. Check the path.") from None
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                raise DataError(f"a gzip file must be complete; {path!r} is not: {error}. Restore it.") from None
            except OSError as error:
                reason = error.strerror or error
                raise DataError(f"a file must be readable; {path!r}: {reason}. Use another.") from None


def _unpacked(path: str, scratch: Path) -> str:
    """Return the path, or that of an unpacked copy of a gzip file: blocks in the middle of one cannot be read."""
    with open(path, "rb") as file:  # noqa: PTH123
        if file.read(2) != GZIP_MARK:
            return path
    place = scratch / f"{len(os.listdir(scratch))}"  # noqa: PTH208
    with gzip.open(path, "rb") as packed, place.open("wb") as plain:
        shutil.copyfileobj(packed, plain, _COPIED)
    return str(place)


# -- the vocabulary ----------------------------------------------------------------------------------------------------


def _vocabulary(encoding: EncodeConfig, blocks: list[Block]) -> TextVocabulary:
    tokens = encoding.tokens
    if tokens == CHARACTERS:
        return Vocabulary("".join(sorted(set().union(*in_order(_characters, blocks, encoding.processes)))))
    size = pairs_of(tokens)
    if size is not None:
        texts = chain.from_iterable(map(documents, sampled(blocks, LEARNT_FROM)))
        decoded = (text.decode() for text in texts)
        return TokenVocabulary(BPETokenizer.train(decoded, size + 1, special_tokens=[END_OF_TEXT]))
    own = vocabulary_in(Path(tokens)) if Path(tokens).is_dir() else None
    return own or TokenVocabulary(BPETokenizer.load(tokens))


def _characters(block: Block) -> str:
    return characters_in(Items.of([text.decode() for text in documents(block)]).codes())


# -- in each process ---------------------------------------------------------------------------------------------------

_state: dict[str, Any] = {}
"""What `_prepare` keeps for `_encode`."""

Encoded = tuple[tuple[bytes, Tally], tuple[bytes, Tally]]
"""The ids of train and val as a file has them, and what they are."""


def _prepare(vocabulary: TextVocabulary, val: float, seed: int, dtype: np.dtype[Any]) -> None:
    _state["encode"] = partial(_encoded, vocabulary=vocabulary, val=val, seed=seed, dtype=dtype)


def _encode(block: Block) -> Encoded:
    """Encode the documents of a block with what `_prepare` was given."""
    result: Encoded = _state["encode"](block)
    return result


def _encoded(block: Block, *, vocabulary: TextVocabulary, val: float, seed: int, dtype: np.dtype[Any]) -> Encoded:
    texts = documents(block)
    ids, ends = _ids(vocabulary, texts, block)
    begins = block.begins or block.held_out is None
    if begins:  # an end token before each document
        end_token = int(np.argmin(places_of(vocabulary)))
        starts = np.concatenate([np.zeros(1, np.int64), ends[:-1]])[: len(texts)]
        ids, ends = np.insert(ids, starts, end_token), ends + np.arange(1, len(texts) + 1)
    out = np.full(len(texts), block.held_out is True)
    if block.held_out is None and val:
        hashes = np.array([zlib.crc32(text, seed) for text in texts], np.uint64)
        out = hashes < int(val * 2**32)
    chosen = np.repeat(out, np.diff(ends, prepend=0))
    return tuple(  # type: ignore[return-value]
        (ids[chosen == part].astype(dtype).tobytes(), _tally(texts, out == part, begins=begins))
        for part in (False, True)
    )


def _ids(vocabulary: TextVocabulary, texts: list[bytes], block: Block) -> tuple[IntArray, IntArray]:
    """Return the ids of the files of all texts, concatenated, and where those of each text end."""
    if isinstance(vocabulary, TokenVocabulary):
        return vocabulary.tokenizer.encoding.encode(texts)
    items = Items(b"".join(texts), *_bounds(texts))
    unknown = vocabulary.unknown(characters_in(items.codes()))
    if unknown:
        raise DataError(
            f"every character must be in the vocabulary of {vocabulary.size - 1:,} characters; {block.source.name} has "
            f"{unknown[0]!r}. Use --tokens characters."
        )
    encoded = vocabulary.encode_items(items, ends=False)
    return encoded.ids.astype(np.int64) - 1, encoded.starts[1:]


def _bounds(texts: list[bytes]) -> tuple[IntArray, IntArray]:
    ends = np.cumsum([len(text) for text in texts], dtype=np.int64)
    return np.concatenate([np.zeros(1, np.int64), ends])[: len(texts)], ends


def _tally(texts: list[bytes], chosen: IntArray, *, begins: bool) -> Tally:
    own = [text for text, is_own in zip(texts, chosen.tolist(), strict=True) if is_own]
    whole = np.frombuffer(b"".join(own), np.uint8)
    characters = int(np.count_nonzero(whole & 0xC0 != 0x80))  # bytes that begin one
    return Tally(documents=len(own) if begins else 0, characters=characters, bytes=len(whole))


# -- the files that are written ----------------------------------------------------------------------------------------


class _Shards:
    """Writes the ids of a part into files of a folder.

    Attributes:
        tally: what was written.
    """

    def __init__(self, folder: Path, part: str, encoding: EncodeConfig, dtype: np.dtype[Any]) -> None:
        self.tally = Tally()
        self._folder, self._part, self._dtype = folder, part, dtype
        self._has_header = encoding.layout == "llm.c"
        self._most = encoding.shard_tokens if self._has_header else None
        self._file: BinaryIO | None = None
        self._count = 0

    def write(self, ids: bytes, tally: Tally) -> None:
        """Append ids, and count what they are."""
        self.tally.add(tally)
        self.tally.tokens += len(ids) // self._dtype.itemsize
        left = memoryview(ids)
        while left:
            file = self._file or self._begin()
            here = left if self._most is None else left[: (self._most - self._count) * self._dtype.itemsize]
            file.write(here)
            self._count += len(here) // self._dtype.itemsize
            left = left[len(here) :]
            if self._count == self._most:
                self.close()

    def close(self) -> None:
        """Complete the last file: its header has the number of its ids."""
        if self._file is None:
            return
        if self._has_header:
            self._file.seek(0)
            self._file.write(header(self._count, self._dtype))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self.tally.shards.append({"file": Path(self._file.name).name, "tokens": self._count})
        self._file, self._count = None, 0

    def _begin(self) -> BinaryIO:
        number = f"_{len(self.tally.shards):06d}" if self._has_header else ""
        self._file = (self._folder / f"{self._part}{number}.bin").open("xb")
        if self._has_header:
            self._file.write(bytes(4 * HEADER))
        return self._file
