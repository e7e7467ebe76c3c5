"""Documents of files, how they are encoded, and what does not depend on the number of processes."""

import gzip
import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backlight.core import BacklightError, DataError, ProcessEndedError
from backlight.text import load_corpus
from backlight.text.records.reading import Reading
from backlight.text.token_files import documents as reading
from backlight.text.token_files.documents import blocks_of, documents, source_of
from backlight.text.token_files.folder import TokenFiles
from backlight.text.token_files.workers import in_order
from backlight.text.token_files.writing import EncodeConfig, encode_files
from backlight.text.tokenizers import BPETokenizer

HAN = "\u4e2d\u6587"
DOCUMENTS = [f"Document {n}: na\u00efve, {HAN * (n % 3)}\nsecond line\n" for n in range(200)]


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BLOCK", 256)
    monkeypatch.setattr(reading, "WINDOW", 64)


def encoded(sources: list[Path], folder: Path, how: Reading | None = None, **settings: Any) -> dict[str, Any]:
    folder.mkdir()
    return encode_files([str(one) for one in sources], folder, EncodeConfig(**settings), how or Reading())


def read_back(folder: Path) -> list[str]:
    """Return the documents of train and of val, from the ids alone."""
    about = json.loads((folder / "tokens.json").read_text())
    tokenizer = BPETokenizer.load(folder / "tokenizer.json")
    found = []
    for part in ("train", "val"):
        for shard in about[part]["shards"]:
            ids = np.fromfile(folder / shard["file"], np.uint16, offset=1024)
            found += np.split(ids, np.flatnonzero(ids == about["end_token"]))
    return [tokenizer.decode(one[1:]) for one in found if len(one)]


@pytest.mark.usefixtures("small_blocks")
def test_documents_of_each_format(tmp_path: Path) -> None:
    lines = [json.dumps({"meta": {"text": one}, "id": n}) for n, one in enumerate(DOCUMENTS)]
    (tmp_path / "a.jsonl").write_text("\n".join([*lines, "", json.dumps({"meta": {"text": " \n"}})]))
    with gzip.open(tmp_path / "b.jsonl.gz", "wb") as file:
        file.write((tmp_path / "a.jsonl").read_bytes())
    (tmp_path / "c.txt").write_text("\n<|endoftext|>\n".join(DOCUMENTS))
    encoded([tmp_path / "a.jsonl"], tmp_path / "of-a", Reading(field="meta.text"), tokens="bpe:300")
    encoded([tmp_path / "b.jsonl.gz"], tmp_path / "of-b", Reading(field="meta.text"), tokens="bpe:300")
    encoded([tmp_path / "c.txt"], tmp_path / "of-c", tokens=str(tmp_path / "of-a"))
    assert sorted(read_back(tmp_path / "of-a")) == sorted(DOCUMENTS)
    assert (tmp_path / "of-a" / "train_000000.bin").read_bytes() == (
        tmp_path / "of-b" / "train_000000.bin"
    ).read_bytes()
    assert sorted(read_back(tmp_path / "of-c")) == sorted(one.strip() for one in DOCUMENTS)


def test_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="needs pyarrow, of the extra [parquet]")
    from pyarrow import parquet

    table = pyarrow.table({"text": [*DOCUMENTS, None, ""], "other": ["x"] * 202, "n": range(202)})
    parquet.write_table(table, tmp_path / "a.parquet", row_group_size=30)
    encoded([tmp_path / "a.parquet"], tmp_path / "out", tokens="bpe:300", processes=2)
    assert sorted(read_back(tmp_path / "out")) == sorted(DOCUMENTS)
    with pytest.raises(BacklightError, match=r"got 'txt'\. Did you mean text"):
        source_of(str(tmp_path / "a.parquet"), "a", Reading(column="txt"))
    with pytest.raises(BacklightError, match="got 'n'"):
        source_of(str(tmp_path / "a.parquet"), "a", Reading(column="n"))
    (tmp_path / "a.parquet").write_bytes((tmp_path / "a.parquet").read_bytes()[:500])
    with pytest.raises(DataError, match="complete Parquet"):
        source_of(str(tmp_path / "a.parquet"), "a", Reading())


@pytest.mark.usefixtures("small_blocks")
def test_copies_of_a_document_are_in_the_same_part(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps({"text": one}) for one in DOCUMENTS * 3))
    about = encoded([tmp_path / "a.jsonl"], tmp_path / "out", tokens="bpe:300", val=0.3)
    assert 30 < about["val"]["documents"] / 3 < 90
    files = TokenFiles(str(tmp_path / "out"))
    train = set(files.documents("train", 10**6))
    held_out = files.parts["dev"].part(0, len(files.parts["dev"]) + len(files.parts["test"]))
    ids = files.places[held_out.read(0, len(held_out))]
    texts = [files.vocabulary.decode(one) for one in np.split(ids, np.flatnonzero(ids == 0)) if len(one)]
    assert len(set(texts)) == about["val"]["documents"] / 3
    assert not train & set(texts)


@pytest.mark.parametrize("pattern", ["gpt2", "gpt4"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.usefixtures("small_blocks")
def test_running_text_has_the_tokens_of_the_whole(pattern: str, line_end: str, tmp_path: Path) -> None:
    text = (
        load_corpus("shakespeare").items[0][:9_000] + "a  b\u3000\n\u3000c 12345 67.\n\n\n  don't we'll 1 2\t3 !?\n" * 9
    )
    (tmp_path / "a.txt").write_bytes(text.replace("\n", line_end).encode())
    tokenizer = BPETokenizer.train(text, 400, pattern=pattern, special_tokens=["<|endoftext|>"])
    tokenizer.save(tmp_path / "tokenizer.json")
    encoded([tmp_path / "a.txt"], tmp_path / "out", tokens=str(tmp_path / "tokenizer.json"), val=0)
    blocks = list(blocks_of(source_of(str(tmp_path / "a.txt"), "a", Reading()), 0))
    assert len(blocks) > 20
    ids = np.fromfile(tmp_path / "out" / "train_000000.bin", np.uint16, offset=1024)
    assert ids[1:].tolist() == tokenizer.encode(text).tolist()


def test_the_files_do_not_depend_on_the_number_of_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BLOCK", 1 << 12)
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps({"text": one}) for one in DOCUMENTS * 3))
    (tmp_path / "b.txt").write_text("".join(DOCUMENTS))
    for tokens in ("characters", "bpe:280"):
        found = []
        for processes in (1, 2):
            out = tmp_path / f"{tokens}-{processes}"
            encoded(
                [tmp_path / "a.jsonl", tmp_path / "b.txt"], out, tokens=tokens, processes=processes, shard_tokens=999
            )
            found.append({path.name: path.read_bytes() for path in out.iterdir()})
        assert len(found[0]) > 10
        assert found[0] == found[1]


def test_the_name_of_the_end_token_in_a_text_is_text(tmp_path: Path) -> None:
    text = "As <|endoftext|> shows."
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": text}) + "\n")
    about = encoded([tmp_path / "a.jsonl"], tmp_path / "out", tokens="bpe:256", val=0)
    assert about["train"]["tokens"] == 1 + len(text)
    assert read_back(tmp_path / "out") == [text]


def test_a_lone_surrogate_of_json_becomes_the_replacement_character(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "a\\ud800b"}\n')
    encoded([tmp_path / "a.jsonl"], tmp_path / "out", tokens="bpe:256", val=0)
    assert read_back(tmp_path / "out") == ["a\ufffdb"]


WRONG: dict[str, tuple[bytes, dict[str, Any], str]] = {
    "bytes.txt": (b"caf\xe9\n", {}, "0xe9 at byte 3"),
    "nul.txt": (b"a\0b", {}, "NUL byte at byte 1"),
    "blank.txt": (b"", {}, "none that is not blank"),
    "number.jsonl": (b'{"text": "a"}\n{"text": 1}\n', {"field": "text"}, "is a number at line 2"),
    "late.jsonl": (b'{"text": "a"}\n' * 9_000 + b'{"text": 1}\n', {}, "in line 9,001 of 'late.jsonl' it is int"),
    "broken.jsonl": (b'{"text": "a"}\n\n{"text": \n', {"field": "text"}, "line 3 of 'broken.jsonl' is not"),
    "field.jsonl": (b'{"text": "a"}\n', {"field": "txt"}, "Did you mean 'text'?"),
    "table.csv": (b"a,b\n1,2\n", {}, "is csv"),
    "column.txt": (b"text", {"column": "text"}, "a column is for Parquet"),
    "cut.gz": (gzip.compress(b"text" * 100)[:-9], {}, "must be complete"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_is_refused_in_one_line(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content, settings, says = WRONG[name]
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(content)
    with pytest.raises(BacklightError) as caught:
        encoded([Path(name)], Path("out"), Reading(**settings), tokens="bpe:256")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match=r"there is no 'gone\.txt'"):
        encoded([Path("gone.txt")], Path("out2"))


def test_the_line_of_a_later_block_is_counted_from_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BLOCK", 1_000)
    monkeypatch.chdir(tmp_path)
    Path("a.jsonl").write_text('{"text": "a"}\n' * 9_000 + '{"text": \n')
    with pytest.raises(DataError, match=r"line 9,001 of 'a\.jsonl' is not"):
        encoded([Path("a.jsonl")], Path("out"), Reading(field="text"), tokens="bpe:256")


def test_a_character_that_another_folder_lacks_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("abc")
    (tmp_path / "b.txt").write_text("abd")
    encoded([tmp_path / "a.txt"], tmp_path / "out", tokens="characters", val=0)
    with pytest.raises(DataError, match="'d'"):
        encoded([tmp_path / "b.txt"], tmp_path / "out2", tokens=str(tmp_path / "out"), val=0)


def die(task: int) -> int:
    if task == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return task


def test_results_are_in_order_and_a_process_that_dies_is_noticed() -> None:
    assert list(in_order(abs, range(0, -50, -1), 2)) == list(range(50))
    with pytest.raises(ProcessEndedError, match="one was ended"):
        list(in_order(die, range(20), 2))


def test_blocks_end_where_documents_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BLOCK", 1_000)
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps({"text": one}) for one in DOCUMENTS))
    with (tmp_path / "a.jsonl").open("r+") as file:  # a first line that is longer than what is looked at
        rest = file.read()
        file.seek(0)
        file.write(json.dumps({"text": "x" * 100_000}) + "\n" + rest)
    source = source_of(str(tmp_path / "a.jsonl"), "a.jsonl", Reading())
    assert (source.kind, source.setting) == ("jsonl", "text")
    blocks = list(blocks_of(source, 0.1))
    assert [one.start for one in blocks[1:]] == [one.stop for one in blocks[:-1]]
    assert [raw.decode() for one in blocks for raw in documents(one)] == ["x" * 100_000, *DOCUMENTS]
