"""Files of tokens, written and read: against NumPy as nanoGPT reads them, and a reader of llm.c's header."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backlight.core import ConfigError, DataError
from backlight.text.token_files.folder import TokenFiles
from backlight.text.token_files.format import TokenFile, header
from backlight.text.token_files.writing import EncodeConfig, encode_files
from backlight.text.tokenizers import BPETokenizer

TEXT = "To be, or not to be:\nthat is the question.\n" * 40


def as_llm_c(path: Path) -> tuple[str, list[int]]:
    """Read a file as the comments of llm.c describe it: 256 int32, of which the third counts the tokens."""
    data = path.read_bytes()
    numbers = struct.unpack("<256i", data[:1024])
    code, name = {(20240520, 1): ("H", "gpt-2"), (20240801, 7): ("I", "llama-3")}[numbers[:2]]
    assert not any(numbers[3:])
    tokens = struct.unpack(f"<{numbers[2]}{code}", data[1024:])
    return name, list(tokens)


@pytest.fixture
def text(tmp_path: Path) -> str:
    (tmp_path / "text.txt").write_text(TEXT)
    return str(tmp_path / "text.txt")


def encoded(sources: list[str], folder: Path, **settings: Any) -> dict[str, Any]:
    folder.mkdir()
    return encode_files(sources, folder, EncodeConfig(**settings))


def test_nanogpt_reads_its_layout(text: str, tmp_path: Path) -> None:
    about = encoded([text], tmp_path / "out", tokens="characters", layout="nanogpt")
    ids = np.memmap(tmp_path / "out" / "train.bin", dtype=np.uint16, mode="r")
    held_out = np.memmap(tmp_path / "out" / "val.bin", dtype=np.uint16, mode="r")
    characters = sorted(set(TEXT))
    assert ids[0] == held_out[0] == about["end_token"] == len(characters)
    assert "".join(characters[i] for i in [*ids[1:], *held_out[1:]]) == TEXT
    assert 0.08 < len(held_out) / len(TEXT) < 0.15


def test_llm_c_reads_its_layout_in_shards(text: str, tmp_path: Path) -> None:
    about = encoded([text], tmp_path / "out", tokens="bpe:270", shard_tokens=100, val=0.25)
    shards = [as_llm_c(tmp_path / "out" / one["file"]) for one in about["train"]["shards"]]
    assert [len(ids) for _, ids in shards[:-1]] == [100] * (len(shards) - 1)
    assert {name for name, _ in shards} == {"gpt-2"}
    tokenizer = BPETokenizer.load(tmp_path / "out" / "tokenizer.json")
    ids = [i for _, of in shards for i in of]
    assert about["end_token"] == tokenizer.special_tokens["<|endoftext|>"] == 270
    assert ids[0] == 270
    train = tokenizer.decode(ids[1:])
    assert TEXT.startswith(train)
    assert ids[1:] == tokenizer.encode(train).tolist()  # as if the text had not been cut
    assert about["train"]["tokens"] == len(ids)
    assert about["train"]["characters"] == len(train)


def test_many_tokens_are_of_uint32_as_llama_3s(tmp_path: Path) -> None:
    letters = "".join(map(chr, range(0x20000, 0x20000 + 65_536)))
    (tmp_path / "text.txt").write_text(letters)
    with pytest.raises(ConfigError, match="ids of uint16"):
        encoded([str(tmp_path / "text.txt")], tmp_path / "small", tokens="characters", layout="nanogpt")
    about = encoded([str(tmp_path / "text.txt")], tmp_path / "out", tokens="characters", val=0)
    assert about["dtype"] == "uint32"
    name, ids = as_llm_c(tmp_path / "out" / "train_000000.bin")
    assert name == "llama-3"
    assert ids == [len(letters), *range(len(letters))]
    files = TokenFiles(str(tmp_path / "out"))
    assert "".join(files.documents("test", 10)) == letters[-len(files.parts["test"]) :][:10]


def test_what_was_written_is_read(text: str, tmp_path: Path) -> None:
    for layout in ("llm.c", "nanogpt"):
        encoded([text], tmp_path / layout, tokens="bpe:270", layout=layout, shard_tokens=64)
        files = TokenFiles(str(tmp_path / layout))
        assert files.tokens == "bpe:271"
        whole = files.documents("train", 10**6) + files.documents("dev", 10**6) + files.documents("test", 10**6)
        assert "".join(whole) == TEXT
        counts = files.counts
        # the first token of a part is no target: that of train and dev is an end, which counts as a character
        first = files.vocabulary.spelling(int(files.places[files.parts["test"].read(0, 1)[0]])).decode()
        assert sum(of.characters for of in counts.values()) == len(TEXT) - len(first)
        assert sum(of.targets for of in counts.values()) == sum(map(len, files.parts.values())) - 3


def test_files_of_others_are_read(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    ids = rng.integers(0, 50_257, 5_000).astype(np.uint16)
    np.save(tmp_path / "edufineweb_train_000001.npy", ids[:4_000])
    np.save(tmp_path / "edufineweb_val_000000.npy", ids[4_000:])
    files = TokenFiles(str(tmp_path))
    assert not files.known
    assert files.parts["train"].read(0, 4_000).tolist() == ids[:4_000].tolist()
    assert files.parts["dev"].read(0, 500).tolist() == ids[4_000:4_500].tolist()
    assert files.vocabulary.size == int(ids.max()) + 2
    assert files.documents("train", 3) == ["".join(f"{i} " for i in ids[:3])]
    one = tmp_path / "fineweb.bin"
    one.write_bytes(header(len(ids), np.dtype("<u2")) + ids.tobytes())
    cut = TokenFiles(str(one), fractions=(0.5, 0.25, 0.25))
    assert [len(cut.parts[part]) for part in ("train", "dev", "test")] == [2_500, 1_250, 1_250]


def test_the_first_id_that_no_token_has_is_named(tmp_path: Path) -> None:
    np.save(tmp_path / "a_train_0.npy", np.array([3, 1, 4, 1, 5, 9], np.uint16))
    np.save(tmp_path / "a_train_1.npy", np.array([2, 6, 9], np.uint16))
    np.save(tmp_path / "a_val_0.npy", np.array([5, 3, 5, 8], np.uint16))
    stream = TokenFiles(str(tmp_path)).parts["train"]
    stream.check_below(10)
    with pytest.raises(DataError, match=r"below the size of the vocabulary, 9; token 6 of .*a_train_0.npy' is 9"):
        stream.check_below(9)
    with pytest.raises(DataError, match=r"token 1 of .*a_train_1.npy' is 2"):
        stream.part(6, 9).check_below(2)


def test_a_window_is_the_same_whether_it_crosses_files_or_not(tmp_path: Path) -> None:
    ids = np.arange(1, 1_001, dtype=np.uint16)
    for number, start in enumerate(range(0, 1_000, 90)):
        (tmp_path / f"train_{number:02d}.bin").write_bytes(ids[start : start + 90].tobytes())
    stream = TokenFiles(str(tmp_path), fractions=(0.5, 0.3, 0.2)).parts["dev"]
    starts = np.array([0, 39, 41, 100, 250])
    assert stream.windows(starts, 50).tolist() == [list(range(501 + at, 551 + at)) for at in starts.tolist()]


WRONG = {
    "empty": (b"", "has 0 bytes"),
    "odd": (b"\1\0\2", "whole ids of 2 bytes"),
    "cut": (header(10, np.dtype("<u2")) + bytes(18), "counts 10"),
    "longer": (header(10, np.dtype("<u2")) + bytes(22), "counts 10"),
    "version": (struct.pack("<256i", 20240520, 2, 4, *[0] * 253) + bytes(8), "has 2 of 20240520"),
    "questions": (struct.pack("<256i", 20240522, 1, 4, *[0] * 253) + bytes(8), "questions with answers"),
    "uint32": (np.random.default_rng(1).integers(0, 60_000, 500).astype(np.uint32).tobytes(), "larger ones"),
    "uint32 of Llama": (np.random.default_rng(1).integers(0, 128_000, 500).astype(np.uint32).tobytes(), "larger ones"),
    "int64": (np.random.default_rng(1).integers(0, 50_000, 500).tobytes(), "larger ones"),
}


@pytest.mark.parametrize(("content", "says"), WRONG.values(), ids=WRONG)
def test_a_wrong_file_is_refused_in_one_line(content: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / "train.bin").write_bytes(content)
    with pytest.raises(DataError, match=says) as caught:
        TokenFile.open(tmp_path / "train.bin")
    assert "\n" not in str(caught.value)


def test_a_wrong_folder_is_refused(text: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    encoded([text], out, tokens="characters")
    about = json.loads((out / "tokens.json").read_text())
    last = out / "val_000000.bin"
    whole = last.read_bytes()
    last.write_bytes(header(len(whole) // 2 - 513, np.dtype("<u2")) + whole[1026:])
    with pytest.raises(DataError, match=r"what tokens.json says"):
        TokenFiles(str(out))
    last.write_bytes(whole[:-2] + (999).to_bytes(2, "little"))
    with pytest.raises(DataError, match="is 999"):
        _ = TokenFiles(str(out)).counts
    last.unlink()
    with pytest.raises(DataError, match="there is no"):
        TokenFiles(str(out))
    wrong: list[dict[str, Any]] = [{"version": 9}, {"dtype": "int8"}, {"train": {}}]
    for damage in wrong:
        (out / "tokens.json").write_text(json.dumps({**about, **damage}))
        with pytest.raises(DataError, match="this version of Backlight"):
            TokenFiles(str(out))
    with pytest.raises(DataError, match="2,147,483,648"):
        header(1 << 31, np.dtype("<u2"))


def test_files_with_a_tokenizer_take_no_other(text: str, tmp_path: Path) -> None:
    encoded([text], tmp_path / "out", tokens="characters")
    with pytest.raises(DataError, match="the tokenizer beside them"):
        TokenFiles(str(tmp_path / "out"), tokens="gpt2")
    (tmp_path / "few.bin").write_bytes(bytes(8))
    with pytest.raises(DataError, match="two tokens each"):
        TokenFiles(str(tmp_path / "few.bin"))
