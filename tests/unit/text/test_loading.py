"""Reading: names, paths, standard input, and everything that cannot be read."""

import hashlib
import io
import os
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from backlight.core import ConfigError, DataError
from backlight.text import CORPORA, load_corpus


def one_line(error: pytest.ExceptionInfo[BaseException]) -> str:
    message = str(error.value)
    assert "\n" not in message
    assert ";" in message, "an error gives the rule; what was given; what to do"
    return message


@pytest.fixture
def write(tmp_path: Path):
    def _write(content: bytes) -> str:
        path = tmp_path / "corpus.txt"
        path.write_bytes(content)
        return str(path)

    return _write


def test_names_are_embedded_with_their_births():
    corpus = load_corpus("names")
    assert (corpus.mode, len(corpus.items), corpus.items[0], corpus.items[-1]) == ("items", 32_257, "emma", "zzyzx")
    assert corpus.weights is not None
    assert corpus.weights.dtype == np.float64
    assert (len(corpus.weights), corpus.weights[0], corpus.weights.min()) == (32_257, 18_818, 5)
    assert corpus.sha256 == "152a21715d8423d8171bc705a93ab3135362c5101a11f1662e495754ff562a78"


def test_names_as_one_text_have_no_weights():
    corpus = load_corpus("names", mode="text")
    assert corpus.items[0].startswith("emma\nolivia\n")
    assert (len(corpus.items), corpus.weights) == (1, None)


def test_shakespeare_is_embedded_as_speeches():
    corpus = load_corpus("shakespeare")
    (text,) = corpus.items
    assert (corpus.mode, corpus.weights, len(text)) == ("text", None, CORPORA["shakespeare"].size)
    assert text.isascii()
    assert text.startswith("FIRST CITIZEN:\nBefore we proceed any further, hear me speak.\n\nALL:\nSpeak, speak.\n\n")
    assert not set("[]{}_\t\r") & set(text)
    assert "\n\n\n" not in text
    for speech in text.rstrip("\n").split("\n\n"):
        speaker, *lines = speech.split("\n")
        assert speaker.endswith(":")
        assert speaker.isupper()
        assert lines
        assert all(line == line.strip() != "" for line in lines)


def test_sizes_in_the_list_of_corpora_are_the_sizes_of_the_texts():
    assert len("\n".join(load_corpus("shakespeare").items).encode()) == CORPORA["shakespeare"].size
    assert all(name == info.name and "\n" not in info.description + info.licence for name, info in CORPORA.items())


def test_every_kind_of_line_end_ends_a_line_and_nothing_else_does(write):
    corpus = load_corpus(write("a\r\nb\rc\n\u2028d\u2028e\x85f\x0bg\n\n\r\r\n h \t".encode()))
    assert corpus.items == ["a", "b", "c", "d\u2028e\x85f\x0bg", "h"]


def test_text_mode_changes_only_line_ends(write):
    content = b"  a\r\n\r\n b \rc\n\n"
    corpus = load_corpus(write(content), mode="text")
    assert corpus.items == ["  a\n\n b \nc\n\n"]
    assert corpus.sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("mode", ["items", "text"])
def test_a_byte_order_mark_at_the_start_is_dropped(write, mode):
    assert load_corpus(write(b"\xef\xbb\xbfana"), mode=mode).items == ["ana"]


@pytest.mark.parametrize(
    "line", ["👩‍👩‍👧 family", "e\u0301clair", "\u0645\u0631\u064a\u0645", "\u05e9\u05dc\u05d5\u05dd", "日本", "a.b."]
)
def test_any_script_is_read_code_point_by_code_point(write, line):
    assert load_corpus(write(f"{line}\n".encode())).items == [line]


def test_standard_input_from_an_argument_and_from_the_process(monkeypatch):
    assert load_corpus("-", stdin=io.BytesIO(b"ana\nbob\n")).items == ["ana", "bob"]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"cid\n")))
    assert load_corpus("-").items == ["cid"]


def test_closed_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(DataError, match="closed") as error:
        load_corpus("-")
    one_line(error)


def test_a_named_pipe_is_read(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"ana\n",))
    writer.start()
    assert load_corpus(str(pipe)).items == ["ana"]
    writer.join()


def test_a_corpus_name_wins_over_a_file_and_a_path_finds_the_file(tmp_path, monkeypatch):
    (tmp_path / "names").write_text("mine\n")
    monkeypatch.chdir(tmp_path)
    assert len(load_corpus("names").items) == 32_257
    assert load_corpus("./names").items == ["mine"]


@pytest.mark.parametrize("mode", ["items", "text"])
@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b" \n\t\r\n \r", "only blank lines"),
        (b"ana\r\nbo\0b\n", r"NUL byte at byte 7 \(line 2\)"),
        (b"ana\rbob\r\n\xefda\n", r"0xef at byte 9 \(line 3\)"),
        (b"\xef\xbb\xbfab\nc\xe9d\n", r"0xe9 at byte 7 \(line 2\)"),
        (b"ana\n\xed\xa0\x80\n", r"0xed at byte 4 \(line 2\)"),
        ("\ufeffana".encode("utf-16-le"), "UTF-16"),
    ],
    ids=["empty", "only a mark", "blank", "nul", "latin-1", "latin-1 after a mark", "surrogate", "utf-16"],
)
def test_what_is_not_text_is_said_in_one_line(write, content, says, mode):
    with pytest.raises(DataError, match=says) as error:
        load_corpus(write(content), mode=mode)
    assert "corpus.txt" in one_line(error)


def test_a_directory_without_files(tmp_path):
    with pytest.raises(DataError, match="at least one file") as error:
        load_corpus(str(tmp_path))
    one_line(error)


def test_a_device():
    with pytest.raises(DataError, match="device") as error:
        load_corpus("/dev/null")
    one_line(error)


@pytest.mark.parametrize("source", ["", "a\0b", "x" * 5000, "no-such-file.txt", "no/such/file"])
def test_names_of_no_file(source):
    with pytest.raises(DataError) as error:
        load_corpus(source)
    assert len(one_line(error)) < 300


def test_a_file_taken_for_a_folder(write):
    with pytest.raises(DataError, match="there is no") as error:
        load_corpus(write(b"ana") + "/b")
    one_line(error)


@pytest.mark.parametrize(
    ("typo", "meant"), [("nmaes", "names"), ("shakespear", "shakespeare"), ("makemore_names", "makemore-names")]
)
def test_a_mistyped_corpus_is_recognised(typo, meant):
    with pytest.raises(DataError, match=f"Did you mean {meant}\\?"):
        load_corpus(typo)


def test_no_permission(write, monkeypatch):
    source = write(b"ana")

    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)  # chmod does not stop root
    with pytest.raises(DataError, match="no permission") as error:
        load_corpus(source)
    one_line(error)


def test_a_disk_that_fails(write, monkeypatch):
    source = write(b"ana")

    def fail(_: Path) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "read_bytes", fail)
    with pytest.raises(DataError, match="Input/output error") as error:
        load_corpus(source)
    one_line(error)


def test_an_unknown_mode(write):
    with pytest.raises(ConfigError, match="'items' or 'text'; got 'words'"):
        load_corpus(write(b"ana"), mode="words")  # type: ignore[arg-type]
