"""Reading text from a file or a pipe, checking it, and splitting it into items."""

import difflib
import gzip
import re
import stat
import sys
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np

from backlight.core import BoolArray, DataError, IntArray
from backlight.text.items import Items

UTF8_MARK = b"\xef\xbb\xbf"
GZIP_MARK = b"\x1f\x8b"
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
LINE_END = re.compile(rb"\r\n|\r|\n")
LF, CR = 10, 13
BLOCK = 1 << 24
"""The number of bytes that are processed at a time."""

DECODED = 1 << 20
"""The number of bytes that are decoded at a time: few, since C's allocator keeps large blocks that were freed."""

# The characters that `str.strip` removes, by their length in bytes.
SPACE = np.zeros(256, np.bool_)
SPACE[list(b"\t\n\v\f\r\x1c\x1d\x1e\x1f ")] = True
_QUADS = "".join(map(chr, range(0x2000, 0x200B)))
SPACES_OF = {
    2: [int.from_bytes(space.encode()) for space in "\x85\xa0"],
    3: [int.from_bytes(space.encode()) for space in "\u1680\u2028\u2029\u202f\u205f\u3000" + _QUADS],
}


def read_file(source: str, known_names: Iterable[str] = ()) -> bytes:
    """Return the bytes of a regular file or a named pipe.

    Args:
        source: a path.
        known_names: names of corpora, of which the closest to a mistyped `source` is suggested.

    Raises:
        DataError: the file is missing, a directory, a device, or not readable.
    """
    try:
        return unpacked(_regular(source).read_bytes(), _short(source))
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(
            f"a corpus is a file, '-' or a known name; there is no {_short(source)}. {_remedy(source, known_names)}"
        ) from None
    except PermissionError:
        raise DataError(f"a corpus must be readable; no permission to read {source!r}. Try chmod u+r FILE.") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"a corpus must be readable; {_short(source)}: {reason}. Use another file.") from None


def unpacked(content: bytes, name: str) -> bytes:
    """Return the content of a gzip file, which it is by its first bytes, or any other content as it is.

    Raises:
        DataError: the gzip file is damaged.
    """
    if not content.startswith(GZIP_MARK):
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"a gzip file must be complete; {name} is not: {' '.join(str(error).split())}. Restore it."
        ) from None


def _regular(source: str) -> Path:
    if not source or "\0" in source:
        raise DataError(f"a corpus must be a file, '-' or a known name; got {_short(source)}. Give a path.")
    path = Path(source)
    kind = path.stat().st_mode
    if stat.S_ISDIR(kind):
        raise DataError(f"a corpus must be a file here; {source!r} is a directory. Give the path of a file in it.")
    if not (stat.S_ISREG(kind) or stat.S_ISFIFO(kind)):
        raise DataError(f"a corpus must be a file or a pipe; {source!r} is a device or a socket. Use a text file.")
    return path


def read_stream(stream: BinaryIO | None) -> bytes:
    """Return all bytes of `stream`, or of standard input if that is None.

    Raises:
        DataError: standard input is closed or cannot be read.
    """
    if stream is None:
        if sys.stdin is None:
            raise DataError("'-' reads standard input; it is closed. Pipe a text in, or give a file.")
        stream = sys.stdin.buffer
    try:
        return unpacked(stream.read(), "standard input")
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"'-' reads standard input; it failed: {reason}. Pipe a text in, or give a file.") from None


def checked(content: bytes, name: str) -> bytes:
    """Check that the content is UTF-8 text, and return it without a byte-order mark.

    Raises:
        DataError: the content is empty, is not UTF-8, or contains a NUL byte.
    """
    if content.startswith(UTF16_MARKS):
        raise DataError(f"a corpus must be UTF-8; {name} starts with a UTF-16 byte-order mark. Save it as UTF-8.")
    start = len(UTF8_MARK) if content.startswith(UTF8_MARK) else 0
    body = content[start:] if start else content
    if not body:
        raise DataError(f"a corpus needs at least one character; {name} is empty. Use a file with text in it.")
    nul = body.find(b"\0")
    if nul >= 0:
        raise DataError(
            f"a corpus must be text; {name} has a NUL byte at {_place(body, nul, start)}."
            " If it is text, save it as UTF-8; binary files cannot be used."
        )
    try:
        _decode(body)
    except UnicodeDecodeError as error:
        byte = body[error.start]
        raise DataError(
            f"a corpus must be UTF-8; {name} has the byte 0x{byte:02x} at {_place(body, error.start, start)}."
            " Save it as UTF-8, e.g. with iconv -f LATIN1 -t UTF-8."
        ) from None
    return body


def _decode(body: bytes) -> None:
    """Raise UnicodeDecodeError, with the offset in the body, if it is not UTF-8. It is decoded block by block."""
    if body.isascii():
        return
    begin = 0
    while begin < len(body):
        end = min(begin + DECODED, len(body))
        while end < len(body) and body[end] & 0xC0 == 0x80 and end < begin + DECODED + 4:  # do not cut a character
            end += 1
        try:
            body[begin:end].decode("utf-8")
        except UnicodeDecodeError as error:
            error.start += begin
            raise
        begin = end


def lines_of(body: bytes, name: str) -> Items:
    r"""Return the lines that are not blank, stripped of white space. A line ends at `\r\n`, `\r` or `\n`.

    Raises:
        DataError: all lines are blank.
    """
    found = list(_bounds(body))
    starts, ends = (np.concatenate([part[side] for part in found]) for side in (0, 1))
    if not len(starts):
        raise _blank(name)
    return Items(body, starts, ends)


def _bounds(body: bytes) -> Iterator[tuple[IntArray, IntArray]]:
    """Yield the bounds of stripped lines that are not blank, block by block."""
    begin = 0
    for block in range(0, len(body), BLOCK):
        bytes_ = np.frombuffer(body, np.uint8, min(BLOCK, len(body) - block), block)
        breaks = np.flatnonzero((bytes_ == LF) | (bytes_ == CR)) + block
        if block + BLOCK >= len(body):
            breaks = np.append(breaks, len(body))
        if not len(breaks):
            continue
        starts = np.concatenate([[begin], breaks[:-1] + 1])
        begin = int(breaks[-1]) + 1
        yield _stripped(body, starts, breaks)


def _stripped(body: bytes, starts: IntArray, ends: IntArray) -> tuple[IntArray, IntArray]:
    """Return the bounds of the lines, stripped of white space, without blank lines."""
    some = ends > starts
    starts, ends = starts[some], ends[some]
    for line in np.flatnonzero(_is_space(body, starts, 0) | _is_space(body, ends, -1)).tolist():
        raw = body[starts[line] : ends[line]].decode("utf-8")
        starts[line] += len(raw.encode()) - len(raw.lstrip().encode())
        ends[line] = starts[line] + len(raw.strip().encode())
    some = ends > starts
    return starts[some], ends[some]


def _is_space(body: bytes, places: IntArray, side: Literal[0, -1]) -> BoolArray:
    """Return whether a white-space character directly follows each place (side 0), or directly precedes it (-1)."""
    whole = np.frombuffer(body, np.uint8)
    found = SPACE[whole[places + side]]
    wide = np.flatnonzero(whole[places + side] >= 0x80)
    for count, spaces in SPACES_OF.items():
        first = places[wide] + count * side
        # bytes read beyond the line do not complete a character, so they match nothing
        code = sum(
            whole[np.clip(first + nth, 0, len(body) - 1)].astype(np.int64) << 8 * (count - 1 - nth)
            for nth in range(count)
        )
        found[wide] |= np.isin(code, spaces)
    return found


def stream_of(body: bytes, name: str) -> Items:
    r"""Return the text as one item, with every line end (`\r\n`, `\r`, `\n`) as `\n`.

    Raises:
        DataError: the text is only white space.
    """
    if b"\r" in body:
        body = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    stream = Items(body, np.array([0]), np.array([len(body)]))
    if stream.is_blank():
        raise _blank(name)
    return stream


def _blank(name: str) -> DataError:
    return DataError(
        f"a corpus needs at least one line that is not blank; {name} has only blank lines. Use a file with text in it."
    )


def _place(body: bytes, offset: int, start: int) -> str:
    line = len(LINE_END.findall(body, 0, offset)) + 1
    return f"byte {offset + start} (line {line})"


def _remedy(source: str, known_names: Iterable[str]) -> str:
    names = list(known_names)
    near = difflib.get_close_matches(source, names, n=1)
    if near:
        return f"Did you mean {near[0]}?"
    return f"Check the path, or use one of: {', '.join(names)}." if names else "Check the path."


def _short(source: str) -> str:
    return repr(source if len(source) <= 60 else source[:57] + "...")
