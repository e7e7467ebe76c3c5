"""Corpora: reading a list of items or a text by name, by path, from standard input, or from a list of strings."""

import hashlib
import lzma
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any, BinaryIO, Literal

import numpy as np

from backlight.core import ConfigError, DataError, FloatArray
from backlight.text.downloads import read_download
from backlight.text.files import files_in, joined, one_stream
from backlight.text.items import Items
from backlight.text.normalising import normalised_items
from backlight.text.reading import checked, lines_of, read_file, read_stream, stream_of
from backlight.text.records.reader import read_items
from backlight.text.records.reading import AS_IT_IS, Reading
from backlight.text.token_files.names import are_token_files

Mode = Literal["items", "text"]
"""`items`: one item per line, each with a beginning and an end. `text`: one stream, without an end."""


Source = str | os.PathLike[str] | Iterable[str] | Iterable[os.PathLike[str]]
"""The source of a text: the name of a corpus, the path of a file or folder, or an iterable of strings or of paths."""

NOTES_SHOWN = 3

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
        reading: how the file was read, with what was detected.
        also: the paths of further files that belong to it.
        notes: lines that say how the files were read, if they are not lists of lines.
    """

    name: str
    mode: Mode
    items: Sequence[str]
    weights: FloatArray | None
    sha256: str
    reading: Reading = AS_IT_IS
    also: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

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


def load_corpus(
    source: "Source | Corpus",
    *,
    mode: Mode | None = None,
    reading: Reading = AS_IT_IS,
    like: Reading = AS_IT_IS,
    stdin: BinaryIO | None = None,
) -> Corpus:
    r"""Read a corpus.

    A file must be UTF-8, or that compressed by gzip; a byte-order mark is dropped. Its format is detected (one item per
    line, a table, JSON, FASTA, SMILES, texts between marks) unless `reading` gives it. A line ends at `\r\n`, `\r` or
    `\n`, even mixed, and nowhere else. A character is a Unicode code point. In mode `items`, white space around an item
    is stripped and blank items are skipped; in mode `text`, only line ends are changed, to `\n`. Strings in a list are
    treated like lines of a file, but may contain line ends; in mode `text` they are joined with line ends.

    Args:
        source: a string is the name of a corpus in `CORPORA`, the path of a file or folder, or `-` for standard input.
            A name takes precedence over a file: `names` is the corpus, `./names` is the file. A `Path` is a file or
            folder; of a folder, all files are read. Any other iterable must yield strings, or paths of files, which are
            read one after another. A `Corpus` is returned unchanged.
        mode: None is the default mode of the corpus, or `items` for a file or a list.
        reading: how a file is read into items.
        like: how another file was read; its column, field and delimiter are used for a file of the same format, if
            `reading` has none.
        stdin: the stream that `-` reads; None is standard input.

    Raises:
        DataError: the source cannot be read, is not text, is empty, or does not say which part of it is meant.
        ConfigError: an unknown mode, another than that of a given `Corpus`, or settings that contradict the source.
    """
    if mode not in {None, "items", "text"}:
        raise ConfigError(f"mode must be 'items' or 'text'; got {mode!r}. Use 'items' for one item per line.")
    mode = _mode(mode, reading)
    if isinstance(source, Corpus):
        if mode not in {None, source.mode}:
            raise ConfigError(f"{source.name} was read in mode {source.mode!r}; got {mode!r}. Read it in that mode.")
        return source
    if isinstance(source, os.PathLike):
        return _from_files([_file_path(source)], mode, reading, like, stdin)
    if isinstance(source, str):
        if source in CORPORA:
            return _named(source, mode, reading)
        return _from_files([source], mode, reading, like, stdin)
    if isinstance(source, _NO_LISTS) or not isinstance(source, Iterable):
        raise DataError(
            f"a corpus must be a name, a path or a list of strings; got {type(source).__name__}. Pass one of these."
        )
    given = list(source)
    paths = [one for one in given if isinstance(one, os.PathLike)]
    if paths and len(paths) == len(given):
        return _from_files([_file_path(path) for path in paths], mode, reading, like, stdin)
    return _from_list(given, mode or "items", reading)


_NO_LISTS = (bytes, bytearray, Mapping)


def _mode(mode: Mode | None, reading: Reading) -> Mode | None:
    """Return the mode, to which the format "text" belongs too."""
    if reading.format == "text":
        if mode == "items":
            raise ConfigError("format 'text' is one stream, without items; got mode 'items'. Leave one of them out.")
        return "text"
    if mode == "text" and reading.asks_for_records:
        raise ConfigError(
            "mode 'text' reads a file as one stream, without items; got a setting of how items are read. Leave one of"
            " them out."
        )
    return mode


def _file_path(path: "os.PathLike[str]") -> str:
    """Return the path as a string that is not the name of a corpus."""
    text = os.fspath(path)
    return f".{os.sep}{text}" if text in {*CORPORA, "-"} else text


def _named(name: str, mode: Mode | None, reading: Reading) -> Corpus:
    if reading.asks_for_records and reading.format not in {"lines", "text"}:
        raise ConfigError(
            f"{name} is a corpus of this package, with a format of its own; got a setting of how files are read. Leave"
            f" it out; a file of that name is ./{name}."
        )
    content = _embedded(EMBEDDED[name]) if name in EMBEDDED else read_download(name)
    sha256 = hashlib.sha256(content).hexdigest()
    body = checked(content, repr(name))
    mode = mode or CORPORA[name].mode
    if name == "names":
        return _names(body.decode(), mode, sha256, reading)
    items = lines_of(body, repr(name)) if mode == "items" else stream_of(body, repr(name))
    return Corpus(name, mode, normalised_items(items, reading.normalise), None, sha256, reading.only_form)


def _from_files(
    sources: list[str], mode: Mode | None, reading: Reading, like: Reading, stdin: BinaryIO | None
) -> Corpus:
    """Read one file or several."""
    paths = [path for source in sources for path in ([source] if source == "-" else files_in(source))]
    wanted = replace(reading, format="text") if mode == "text" else reading
    sha, found = hashlib.sha256(), []
    if are_token_files(sources[0], told=reading.format):
        raise DataError(
            f"this needs a text; {sources[0]!r} has token files, for backlight train --model gpt. Give the text."
        )
    for path in paths:
        content = read_stream(stdin) if path == "-" else read_file(path, CORPORA)
        sha.update(content if len(paths) == 1 else len(content).to_bytes(8, "little") + content)
        where = "standard input" if path == "-" else repr(path)
        found.append(read_items(checked(content, where), path, where, wanted, like))
        labels = found[-1].reading.labels
        if labels is not None and wanted.label is not None:  # the same label is the same character in all files
            wanted = replace(wanted, labels=labels)
        elif labels is not None:
            like = replace(like, labels=labels)
    parts = [normalised_items(one.items, reading.normalise) for one in found]
    items = joined(parts) if mode != "text" or len(parts) == 1 else one_stream(part[0] for part in parts)
    labels = found[-1].reading.labels
    readings = {replace(one.reading, labels=labels) if one.reading.label is not None else one.reading for one in found}
    return Corpus(
        sources[0], mode or "items", items, None, sha.hexdigest(),
        reading=readings.pop() if len(readings) == 1 else reading,
        also=tuple(sources[1:]),
        notes=_notes([one.note for one in found if one.note], len(paths), len(items)),
    )  # fmt: skip


def _notes(notes: list[str], files: int, items: int) -> tuple[str, ...]:
    """Return the lines that say how files were read: of many files, the first few."""
    if files == 1:
        return tuple(notes)
    more = [f"... and {len(notes) - NOTES_SHOWN:,} more"] if len(notes) > NOTES_SHOWN else []
    return (*notes[:NOTES_SHOWN], *more, f"{files:,} files: {items:,} items")


def _from_list(given: list[Any], mode: Mode, reading: Reading) -> Corpus:
    texts: list[str] = given
    for place, text in enumerate(given):
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
    if reading.asks_for_records and reading.format not in {"lines", "text"}:
        raise ConfigError(
            "format, column, header, field and delimiter are for files; got a list of strings. Leave them out."
        )
    items = normalised_items(items, reading.normalise)
    sha = hashlib.sha256()
    for item in items.raw():
        sha.update(len(item).to_bytes(8, "little") + item)
    return Corpus(LIST, mode, items, None, sha.hexdigest(), reading.only_form)


def _names(table: str, mode: Mode, sha256: str, reading: Reading) -> Corpus:
    """Return the corpus in the table of names, sexes and births."""
    rows = [line.split("\t") for line in table.splitlines()[1:]]
    names = [name for name, _, _ in rows]
    if mode == "text":
        return Corpus("names", mode, Items.of(["\n".join(names) + "\n"]), None, sha256, reading.only_form)
    weights = np.array([births for _, _, births in rows], dtype=np.float64)
    return Corpus("names", mode, Items.of(names), weights, sha256, reading.only_form)


def _embedded(file_name: str) -> bytes:
    return lzma.decompress(resources.files("backlight.text").joinpath("data", file_name).read_bytes())
