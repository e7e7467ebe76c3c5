"""Texts that cannot be learnt from, and odd ones that can."""

import ctypes
import os
from collections.abc import Callable
from typing import Any

import pytest

NAMES = b"emma\nolivia\nava\nmia\nnoah\nliam\n"
FAMILY = "\N{MAN}\N{ZERO WIDTH JOINER}\N{WOMAN}\N{ZERO WIDTH JOINER}\N{GIRL}"

UNFIT: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "'text' is empty"),
    "only a mark": (b"\xef\xbb\xbf", "'text' is empty"),
    "blank lines": (b"\n \r\n\t\n", "only blank lines"),
    "one line": (b"emma\n", "got 1 distinct items"),
    "one character": (b"a", "got 1 distinct items, the longest of 1 characters"),
    "one line many times": (b"emma\n" * 100, "got 1 distinct items"),
    "two lines": (b"emma\nava", "got 2 distinct items"),
    "10 MB on one line": (b"abcdefghij" * 1_000_000, "--mode text"),
    "NUL bytes": (b"emma\n\0\0\nava", "NUL byte at byte 5 (line 2)"),
    "Latin-1": ("emma\nzoë\nrené\n".encode("latin-1"), "the byte 0xeb at byte 7 (line 2)"),
    "cut off in a character": (NAMES + "é".encode()[:1], "the byte 0xc3"),
    "a lone surrogate": (NAMES + b"\xed\xa0\x80\n", "must be UTF-8"),
    "UTF-16": ("emma\nava\nmia\n".encode("utf-16"), "UTF-16"),
}

FIT: dict[str, bytes] = {
    "CRLF": NAMES.replace(b"\n", b"\r\n"),
    "mixed line ends": b"emma\r\nolivia\rava\nmia\n\r\nnoah\r",
    "byte-order mark": b"\xef\xbb\xbf" + NAMES,
    "no last line end": NAMES[:-1],
    "emoji": f"\N{GRINNING FACE}{FAMILY}\n{FAMILY}\nhi\N{GRINNING FACE}\n\N{GRINNING FACE}\n".encode(),
    "combining marks": "ne\u0301e\nzoe\u0308\nre\u0301mi\n\u0301\n".encode(),
    "right to left": "שלום\nعالم\nسلام\nעולם\n".encode(),  # noqa: RUF001
    "overrides of direction": "a\u202eb\nc\u2066d\ne\u202cf\n".encode(),
    "what steers a terminal": b"a\x1b[31mb\nc\x07d\ne\x9bf\n".replace(b"\x9b", b"\xc2\x9b"),
    "separators that end no line": "a\u2028b\nc\u0085d\ne\x0bf\n".encode(),
    "wide characters": "日本\n東京\n京都\n日光\n".encode(),
    "full stops": b"a.b\nc..d\n...\n.e\n",
    "markup": b"[red]a[/red]\n[/]\n[b\n:smile:\n",
    "three lines of one character": b"a\nb\nc\n",
}


@pytest.mark.parametrize(("content", "says"), UNFIT.values(), ids=UNFIT)
def test_unfit_text_is_refused_in_one_line(shell: Any, tiny: Callable[..., Any], content: bytes, says: str) -> None:
    shell.write("text", content)
    shell.refused("train", "text", *tiny(), says=says)


@pytest.mark.parametrize("content", FIT.values(), ids=FIT)
def test_odd_text_is_learnt_described_and_scored(shell: Any, tiny: Callable[..., Any], content: bytes) -> None:
    shell.write("text", content)
    trained = shell.works("train", "text", *tiny(), "--name", "odd")
    described = shell.works("data", "describe", "text")
    scored = shell.works("score", "odd", "text", "--per-character")
    for result in (trained, described, scored):
        assert not {"\x1b", "\x07", "\x9b", "\u202e", "\u2066"} & set(result.out)
    assert shell.works("sample", "odd", "--json", "--seed", "1").json["samples"]


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("no-such.txt", "there is no 'no-such.txt'"),
        ("nmaes", "Did you mean names?"),
        ("names.txt/inside", "there is no"),
        ("", "got ''"),
        ("/dev/null", "a device"),
        ("x" * 5000, "File name too long"),
        ("bad\udcffname", "there is no"),
        ("new\nline", "there is no"),
    ],
)
def test_what_is_no_file_is_refused(shell: Any, tiny: Callable[..., Any], source: str, says: str) -> None:
    shell.refused("train", source, *tiny(), says=says)
    shell.refused("data", "describe", source, says=says)


def test_ten_megabytes_on_one_line_are_a_stream_if_asked(shell: Any, tiny: Callable[..., Any]) -> None:
    shell.write("text", b"abcdefghij" * 1_000_000)
    shell.works("train", "text", "--mode", "text", *tiny("--steps", "1"))
    described = shell.works("data", "describe", "text")
    assert len(described.out) < 5_000


def test_a_file_name_of_bytes_that_are_not_utf8(shell: Any, tiny: Callable[..., Any]) -> None:
    (shell.folder / "names.txt").rename(shell.folder / os.fsdecode(b"n\xffmes"))
    shell.works("train", os.fsdecode(b"n\xffmes"), *tiny())
    shell.works("runs", "show", "n-mes-mlp-1")
    shell.works("train", "--resume", "n-mes-mlp-1")


def _lose_the_right_to_read_everything() -> None:
    """Make what this process starts obey file modes, also where it is root: Linux's prctl(PR_CAPBSET_DROP, ...)."""
    libc = ctypes.CDLL(None)
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        libc.prctl(24, capability, 0, 0, 0)


@pytest.fixture
def obedient(shell: Any) -> dict[str, Any]:
    secret = shell.write("secret", NAMES)
    secret.chmod(0)
    options = {"preexec_fn": _lose_the_right_to_read_everything}
    if shell("data", "describe", "secret", **options).code == 0:
        pytest.skip("this system lets root read whatever the file modes say")
    return options


def test_a_file_that_may_not_be_read(shell: Any, tiny: Callable[..., Any], obedient: dict[str, Any]) -> None:
    shell.refused("train", "secret", *tiny(), says="no permission to read 'secret'", **obedient)


def test_a_folder_that_may_not_be_written(shell: Any, tiny: Callable[..., Any], obedient: dict[str, Any]) -> None:
    (shell.folder / "runs").mkdir(mode=0o500)
    shell.refused("train", "names.txt", *tiny(), says="you may not write there", **obedient)


def test_a_run_that_may_not_be_read(runs: Any, obedient: dict[str, Any]) -> None:
    (runs.folder / "runs" / "net").chmod(0)
    for words in (("sample", "net"), ("train", "--resume", "net"), ("runs", "show", "net"), ("sample", "runs/net")):
        runs.refused(*words, says="permission denied", **obedient)
