"""The lectures' corpora: the folder first, then the network, and the checksum always."""

import hashlib
from pathlib import Path

import pooch
import pytest

from backlight.core import DataError
from backlight.text import downloads, load_corpus
from backlight.text.downloads import Download

TEXT = b"ana\nbob\n"


@pytest.fixture
def small(monkeypatch):
    """Stand a small file in for the lectures' list of names, and let nothing out to the network."""
    entry = Download(
        url="https://example.invalid/names.txt",
        sha256=hashlib.sha256(TEXT).hexdigest(),
        also_sha256=(hashlib.sha256(TEXT[:-1]).hexdigest(),),
        file_names=("makemore_names.txt", "names.txt"),
    )
    monkeypatch.setitem(downloads.DOWNLOADS, "makemore-names", entry)

    def no_network(*_: object, **__: object) -> str:
        raise ConnectionError("no network")

    monkeypatch.setattr(pooch, "retrieve", no_network)
    return entry


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("file_name", ["makemore_names.txt", "names.txt"])
@pytest.mark.parametrize("content", [TEXT, TEXT[:-1]])
def test_the_folder_serves_the_file_under_either_name(tmp_path, monkeypatch, file_name, content):
    (tmp_path / file_name).write_bytes(content)
    monkeypatch.setenv("BACKLIGHT_DATA", str(tmp_path))
    corpus = load_corpus("makemore-names")
    assert (corpus.name, corpus.mode, corpus.items) == ("makemore-names", "items", ["ana", "bob"])
    assert corpus.sha256 == hashlib.sha256(content).hexdigest()


def test_another_file_under_the_name_is_refused(small, tmp_path, monkeypatch):
    (tmp_path / "names.txt").write_bytes(b"eve\n")
    monkeypatch.setenv("BACKLIGHT_DATA", str(tmp_path))
    with pytest.raises(DataError, match=f"must have sha256 {small.sha256}") as error:
        load_corpus("makemore-names")
    assert hashlib.sha256(b"eve\n").hexdigest() in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.usefixtures("small")
def test_a_folder_that_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv("BACKLIGHT_DATA", str(tmp_path / "absent"))
    with pytest.raises(DataError, match="BACKLIGHT_DATA must name a folder"):
        load_corpus("makemore-names")


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    "failure", [ConnectionError("no route\nto host"), ValueError("SHA256 hash does not match"), OSError(28, "full")]
)
@pytest.mark.parametrize("folder", [None, "empty"])
def test_a_failed_download_says_how_to_do_without(tmp_path, monkeypatch, failure, folder):
    if folder:
        monkeypatch.setenv("BACKLIGHT_DATA", str(tmp_path))

    def fail(*_: object, **__: object) -> str:
        raise failure

    monkeypatch.setattr(pooch, "retrieve", fail)
    with pytest.raises(DataError, match="set BACKLIGHT_DATA to that folder") as error:
        load_corpus("makemore-names")
    assert "\n" not in str(error.value)
    assert "makemore_names.txt" in str(error.value)


def test_a_download_is_asked_for_by_address_and_checksum(small, tmp_path, monkeypatch):
    asked: dict[str, object] = {}

    def retrieve(url: str, known_hash: str, fname: str, path: Path) -> str:
        asked.update(url=url, known_hash=known_hash, fname=fname, path=path)
        kept = tmp_path / fname
        kept.write_bytes(TEXT)
        return str(kept)

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    assert load_corpus("makemore-names").items == ["ana", "bob"]
    assert asked["url"] == small.url
    assert asked["known_hash"] == f"sha256:{small.sha256}"


@pytest.mark.usefixtures("small")
def test_a_kept_file_that_was_changed_is_noticed(tmp_path, monkeypatch):
    kept = tmp_path / "kept.txt"
    kept.write_bytes(b"eve\n")
    monkeypatch.setattr(pooch, "retrieve", lambda *_, **__: str(kept))
    with pytest.raises(DataError, match="must have sha256"):
        load_corpus("makemore-names")
