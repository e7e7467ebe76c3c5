"""Corpora: reading a list of items or a text by name, by path, from standard input, or from a list of strings."""

import hashlib
import lzma
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import BinaryIO, Literal

import numpy as np

from backlight.core import ConfigError, DataError, FloatArray
from backlight.text.downloads import DOWNLOADS, read_download
from backlight.text.items import Items
from backlight.text.reading import checked, lines_of, read_file, read_stream, stream_of

Mode = Literal["items", "text"]
"""`items`: one item per line, each with a beginning and an end. `text`: one stream, without an end."""


Source = str | os.PathLike[str] | Iterable[str]
"""The source of a text: the name of a corpus, the path of a file, or an iterable of strings."""

LIST = "(list)"
"""The name of a corpus that was given as a list of strings."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """A text that has been read.

    Attributes:
        name: its name or path; `-` for standard input, `(list)` for a list of strings.
        mode: `items` or `text`.
        items: the items in the order of the file, including copies; in mode `text` one item, the whole text. Items of a
            file are decoded to strings when they are accessed.
        weights: (items,) float64, how often each item occurs in the world (births for names); None if unknown.
        sha256: hexadecimal checksum of the bytes that were read (for an embedded corpus, of the uncompressed bytes).
    """

    name: str
    mode: Mode
    items: Sequence[str]
    weights: FloatArray | None
    sha256: str

    @property
    def characters(self) -> int:
        """Number of characters in all items."""
        return int(Items.of(self.items).lengths().sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusInfo:
    """The description of a named corpus.

    Attributes:
        name: the name.
        kind: `embedded` in the package, or `downloaded` on first use.
        mode: the default mode.
        description: one line.
        licence: terms and attribution, one line.
        size: size of the text in bytes.
    """

    name: str
    kind: Literal["embedded", "downloaded"]
    mode: Mode
    description: str
    licence: str
    size: int


CORPORA: dict[str, CorpusInfo] = {
    info.name: info
    for info in (
        CorpusInfo(
            name="names",
            kind="embedded",
            mode="items",
            description="32,257 given names: all those given to at least five US newborns in 2018, with births",
            licence="public domain, US Social Security Administration",
            size=381_842,
        ),
        CorpusInfo(
            name="shakespeare",
            kind="embedded",
            mode="text",
            description="nine plays by William Shakespeare, with speakers and without stage directions",
            licence="CC BY 2.5, copyright (c) 2005-6, the Open Knowledge Foundation (plays in the public domain)",
            size=1_184_159,
        ),
        CorpusInfo(
            name="makemore-names",
            kind="downloaded",
            mode="items",
            description="the 32,033 names of the lectures",
            licence="MIT, Andrej Karpathy, makemore",
            size=228_145,
        ),
        CorpusInfo(
            name="tinyshakespeare",
            kind="downloaded",
            mode="text",
            description="the 1.1 million characters of Shakespeare of lecture 7",
            licence="MIT, Andrej Karpathy, char-rnn (plays in the public domain)",
            size=1_115_394,
        ),
    )
}
"""The named corpora, in the order in which they are listed."""

EMBEDDED = {"names": "names.tsv.xz", "shakespeare": "shakespeare.txt.xz"}


def load_corpus(source: "Source | Corpus", *, mode: Mode | None = None, stdin: BinaryIO | None = None) -> Corpus:
    r"""Read a corpus.

    A file must be UTF-8; a byte-order mark is dropped. A line ends at `\r\n`, `\r` or `\n`, even mixed, and nowhere
    else. A character is a Unicode code point. In mode `items`, white space around a line is stripped and blank lines
    are skipped; in mode `text`, only line ends are changed, to `\n`. Strings in a list are treated like lines of a
    file, but may contain line ends; in mode `text` they are joined with line ends.

    Args:
        source: a string is the name of a corpus in `CORPORA`, the path of a file, or `-` for standard input. A name
            takes precedence over a file: `names` is the corpus, `./names` is the file. A `Path` is a file. Any other
            iterable must yield strings. A `Corpus` is returned unchanged.
        mode: None is the default mode of the corpus, or `items` for a file or a list.
        stdin: the stream that `-` reads; None is standard input.

    Raises:
        DataError: the source cannot be read, is not text, or is empty.
        ConfigError: an unknown mode, or another mode than that of a given `Corpus`.
    """
    if mode not in {None, "items", "text"}:
        raise ConfigError(f"mode must be 'items' or 'text'; got {mode!r}. Use 'items' for one item per line.")
    if isinstance(source, Corpus):
        if mode not in {None, source.mode}:
            raise ConfigError(f"{source.name} was read in mode {source.mode!r}; got {mode!r}. Read it in that mode.")
        return source
    if isinstance(source, os.PathLike):
        path = os.fspath(source)
        return _from_file(f".{os.sep}{path}" if path in {*CORPORA, "-"} else path, mode, stdin)
    if isinstance(source, str):
        return _from_file(source, mode, stdin)
    return _from_list(source, mode or "items")


def _from_file(source: str, mode: Mode | None, stdin: BinaryIO | None) -> Corpus:
    if source in EMBEDDED:
        content = _embedded(EMBEDDED[source])
    elif source in DOWNLOADS:
        content = read_download(source)
    elif source == "-":
        content = read_stream(stdin)
    else:
        content = read_file(source, CORPORA)
    sha256 = hashlib.sha256(content).hexdigest()
    where = "standard input" if source == "-" else repr(source)
    body = checked(content, where)
    mode = mode or (CORPORA[source].mode if source in CORPORA else "items")
    if source == "names":
        return _names(body.decode(), mode, sha256)
    items = lines_of(body, where) if mode == "items" else stream_of(body, where)
    return Corpus(source, mode, items, None, sha256)


def _from_list(source: Iterable[str], mode: Mode) -> Corpus:
    if isinstance(source, bytes | bytearray | Mapping) or not isinstance(source, Iterable):
        raise DataError(
            f"a corpus must be a name, a path or a list of strings; got {type(source).__name__}. Pass one of these."
        )
    texts = list(source)
    for place, text in enumerate(texts):
        if not isinstance(text, str):
            raise DataError(
                f"a list of texts must contain strings only; got {type(text).__name__} at index {place}. "
                "Remove it, or convert it with str()."
            )
    if not any(text.strip() for text in texts):
        raise DataError("a corpus needs at least one string that is not blank; the list has none. Add some text.")
    if mode == "text":
        whole = texts[0] if len(texts) == 1 else "\n".join(text.removesuffix("\n") for text in texts)
        items = stream_of(whole.encode("utf-8", "surrogatepass"), "the list")
    else:
        items = Items.of([line for text in texts if (line := text.strip())])
    sha = hashlib.sha256()
    for item in items.raw():
        sha.update(len(item).to_bytes(8, "little") + item)
    return Corpus(LIST, mode, items, None, sha.hexdigest())


def _names(table: str, mode: Mode, sha256: str) -> Corpus:
    """Return the corpus in the table of names, sexes and births."""
    rows = [line.split("\t") for line in table.splitlines()[1:]]
    names = [name for name, _, _ in rows]
    if mode == "text":
        return Corpus("names", mode, Items.of(["\n".join(names) + "\n"]), None, sha256)
    return Corpus("names", mode, Items.of(names), np.array([births for _, _, births in rows], dtype=np.float64), sha256)


def _embedded(file_name: str) -> bytes:
    return lzma.decompress(resources.files("backlight.text").joinpath("data", file_name).read_bytes())
