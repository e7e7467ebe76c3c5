"""From a file, a pipe or bytes to text, and from text to items; whatever cannot be read is said in one line."""

import difflib
import re
import stat
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from backlight.core import DataError

UTF8_MARK = b"\xef\xbb\xbf"
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
LINE_END = re.compile(rb"\r\n|\r|\n")


def read_file(source: str, known_names: Iterable[str] = ()) -> bytes:
    """Return the bytes of a regular file or a named pipe.

    Args:
        source: a path.
        known_names: names of corpora, to suggest the one that a mistyped `source` comes close to.

    Raises:
        DataError: missing, a directory, a device, or not readable.
    """
    try:
        return _regular(source).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(
            f"a corpus is a file, '-' or a known name; there is no {_short(source)}. {_way_out(source, known_names)}"
        ) from None
    except PermissionError:
        raise DataError(f"a corpus must be readable; no permission to read {source!r}. Try chmod u+r FILE.") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"a corpus must be readable; {_short(source)}: {reason}. Name another file.") from None


def _regular(source: str) -> Path:
    if not source or "\0" in source:
        raise DataError(f"a corpus is a file, '-' or a known name; got {_short(source)}. Give the path of a text file.")
    path = Path(source)
    kind = path.stat().st_mode
    if stat.S_ISDIR(kind):
        raise DataError(f"a corpus is one file; {source!r} is a directory. Name a file in it.")
    if not (stat.S_ISREG(kind) or stat.S_ISFIFO(kind)):
        raise DataError(f"a corpus is a regular file or a pipe; {source!r} is a device or a socket. Name a text file.")
    return path


def read_stream(stream: BinaryIO | None) -> bytes:
    """Return all bytes of `stream`, or of standard input if that is None.

    Raises:
        DataError: standard input is closed or cannot be read.
    """
    if stream is None:
        if sys.stdin is None:
            raise DataError("'-' reads standard input; standard input is closed. Pipe a text in, or name a file.")
        stream = sys.stdin.buffer
    try:
        return stream.read()
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"'-' reads standard input; it failed: {reason}. Pipe a text in, or name a file.") from None


def decode(content: bytes, name: str) -> str:
    r"""Decode UTF-8, without the byte-order mark, every line end (`\r\n`, `\r`, `\n`) as `\n`.

    Raises:
        DataError: empty, not UTF-8, or with NUL bytes in it.
    """
    if content.startswith(UTF16_MARKS):
        raise DataError(f"a corpus must be UTF-8; {name} starts with a UTF-16 byte-order mark. Save it as UTF-8.")
    start = len(UTF8_MARK) if content.startswith(UTF8_MARK) else 0
    body = content[start:] if start else content
    if not body:
        raise DataError(f"a corpus needs at least one character; {name} is empty. Name a file with text in it.")
    nul = body.find(b"\0")
    if nul >= 0:
        raise DataError(
            f"a corpus must be text; {name} has a NUL byte at {_place(body, nul, start)}."
            " If it is text, save it as UTF-8; a binary file has no lines to learn from."
        )
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        byte = body[error.start]
        raise DataError(
            f"a corpus must be UTF-8; {name} has the byte 0x{byte:02x} at {_place(body, error.start, start)}."
            " Save it as UTF-8 (iconv -f LATIN1 -t UTF-8 converts the most common other encoding)."
        ) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def lines_of(text: str, name: str) -> list[str]:
    r"""Return the lines that are not blank, without white space around them; only `\n` ends a line.

    Raises:
        DataError: all lines are blank.
    """
    items = [line for raw in text.split("\n") if (line := raw.strip())]
    if not items:
        raise _blank(name)
    return items


def stream_of(text: str, name: str) -> str:
    """Return the text as it is.

    Raises:
        DataError: it is nothing but white space.
    """
    if text.isspace():
        raise _blank(name)
    return text


def _blank(name: str) -> DataError:
    return DataError(
        f"a corpus needs at least one line that is not blank; {name} has only blank lines. Name a file with text in it."
    )


def _place(body: bytes, offset: int, start: int) -> str:
    line = len(LINE_END.findall(body, 0, offset)) + 1
    return f"byte {offset + start} (line {line})"


def _way_out(source: str, known_names: Iterable[str]) -> str:
    names = list(known_names)
    near = difflib.get_close_matches(source, names, n=1)
    if near:
        return f"Did you mean {near[0]}?"
    return f"Check the path, or take one of: {', '.join(names)}." if names else "Check the path."


def _short(source: str) -> str:
    return repr(source if len(source) <= 60 else source[:57] + "...")
