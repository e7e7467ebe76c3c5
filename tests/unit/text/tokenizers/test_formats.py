"""Files in and out, and files that cannot be read."""

import base64
import hashlib
import json
from copy import deepcopy

import pytest
from tests.conftest import shared_file
from tests.unit.text.tokenizers.ways import in_python

from backlight.core import BacklightError, DataError, VocabularyError
from backlight.text.downloads import Download
from backlight.text.tokenizers import BPETokenizer, MergeTable
from backlight.text.tokenizers.formats import files, gpt2, tiktoken
from backlight.text.tokenizers.formats.byte_characters import BYTE_OF, CHARACTER_OF, to_bytes, to_characters

TEXT = "the theme of the thesis, then the\n\n three ünïcödé 中文 <tags> 'it''s 123"
END = "<|endoftext|>"


def learnt(pattern="gpt2", specials=(END,)):
    return BPETokenizer.train(TEXT, 280, pattern=pattern, special_tokens=specials)


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def sequence(*steps):
    return {"type": "Sequence", "pretokenizers": list(steps)}


def test_each_byte_has_a_character_of_its_own():
    assert len(CHARACTER_OF) == len(BYTE_OF) == 256
    assert all(character.isprintable() and not character.isspace() for character in BYTE_OF)
    assert to_characters(b"a b\n\xff") == "aĠbĊÿ"
    assert to_bytes("aĠbĊÿ") == b"a b\n\xff"


@pytest.mark.parametrize("pattern", ["gpt2", "gpt4", None, r"\p{L}+|\s+"])
def test_json_there_and_back(pattern, tmp_path):
    tokenizer = learnt(pattern)
    assert BPETokenizer.from_json(json.loads(json.dumps(tokenizer.to_json()))) == tokenizer
    tokenizer.save(tmp_path / "tokenizer.json")
    assert BPETokenizer.load(tmp_path / "tokenizer.json") == BPETokenizer.load(tmp_path) == tokenizer
    assert BPETokenizer.load(str(tmp_path)).encode(TEXT).tolist() == tokenizer.encode(TEXT).tolist()


def test_gpt2s_files_there_and_back(tmp_path):
    tokenizer = learnt()
    tokenizer.save(tmp_path / "mine")
    assert names_in(tmp_path / "mine") == ["merges.txt", "vocab.json"]
    assert BPETokenizer.load(tmp_path / "mine") == BPETokenizer.load(tmp_path / "mine" / "vocab.json") == tokenizer
    for ours, theirs in zip(files.PAIRS[0], files.PAIRS[1], strict=True):
        (tmp_path / "mine" / ours).rename(tmp_path / "mine" / theirs)
    assert BPETokenizer.load(tmp_path / "mine") == tokenizer


def test_ranks_there_and_back(tmp_path):
    tokenizer = learnt("gpt4")
    tokenizer.save(tmp_path / "mine.tiktoken")
    again = BPETokenizer.load(tmp_path / "mine.tiktoken", pattern="gpt4", special_tokens=tokenizer.special_tokens)
    assert again == tokenizer


def test_gpt2s_own_files_are_read():
    folder = shared_file("gpt2/encoder.json").parent
    tokenizer = BPETokenizer.load(folder)
    assert (tokenizer.size, len(tokenizer.table.merges)) == (50_257, 50_000)
    assert tokenizer.special_tokens == {END: 50_256}
    assert tokenizer.encode("Hello, world!").tolist() == [15496, 11, 995, 0]
    assert tokenizer.decode([15496, 11, 995, 0]) == "Hello, world!"


def test_the_name_gpt2_stands_for_its_files(monkeypatch, tmp_path):
    folder = shared_file("gpt2/encoder.json").parent
    monkeypatch.setenv("BACKLIGHT_DATA", str(folder))
    assert BPETokenizer.load("gpt2") == BPETokenizer.load(folder)
    monkeypatch.setenv("BACKLIGHT_DATA", str(folder.parent))
    assert BPETokenizer.load("gpt2").size == 50_257
    (tmp_path / "encoder.json").write_text("{}")
    monkeypatch.setenv("BACKLIGHT_DATA", str(tmp_path))
    with pytest.raises(DataError, match="GPT-2's vocabulary must have sha256 196139"):
        BPETokenizer.load("gpt2")


def test_downloaded_files_are_checked(monkeypatch, tmp_path):
    vocabulary, merges = (text.encode() for text in gpt2.write(learnt().table))
    known = {
        name: Download(url="https://example.invalid", sha256=hashlib.sha256(content).hexdigest(), file_names=(name,))
        for name, content in (("vocabulary", vocabulary), ("merges", merges))
    }
    monkeypatch.setattr(files, "DOWNLOADS", known)
    monkeypatch.setenv("BACKLIGHT_DATA", str(tmp_path))
    (tmp_path / "vocabulary").write_bytes(vocabulary)
    (tmp_path / "merges").write_bytes(merges)
    assert BPETokenizer.load("gpt2") == learnt()


def test_merges_may_be_lists_or_text():
    values = learnt().to_json()
    values["model"]["merges"] = [merge.split(" ") for merge in values["model"]["merges"]]
    assert BPETokenizer.from_json(values) == learnt()


def test_parts_that_change_nothing_are_accepted():
    values = learnt().to_json()
    values["post_processor"] = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False}
    values["pre_tokenizer"].pop("use_regex")  # as in older files
    values["decoder"] = None
    values["model"] |= {"dropout": 0.0, "continuing_subword_prefix": "", "end_of_word_suffix": "", "unk_token": END}
    values["added_tokens"][0]["normalized"] = True
    assert BPETokenizer.from_json(values) == learnt()


def changed(*path_and_value):
    """Return a tokenizer.json in which one value is another."""
    *path, last, value = path_and_value
    values = deepcopy(learnt().to_json())
    part = values
    for one in path:
        part = part[one]
    part[last] = value
    return values


SPLIT = {"type": "Split", "pattern": {"Regex": r"\s+"}, "behavior": "Isolated", "invert": False}
BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([], r"got model = \[\]"),
        ({}, "got model = None"),
        (changed("model", None), "got model = None"),
        (changed("model", "type", "WordPiece"), "got model.type = 'WordPiece'"),
        (changed("model", "dropout", 0.1), "got model.dropout = 0.1"),
        (changed("model", "end_of_word_suffix", "</w>"), "got model.end_of_word_suffix = '</w>'"),
        (changed("model", "continuing_subword_prefix", "##"), "got model.continuing_subword_prefix = '##'"),
        (changed("model", "vocab", []), r"got model.vocab = \[\]"),
        (changed("model", "vocab", "a", "7"), "got an id = '7'"),
        (changed("model", "vocab", "a", True), "got an id = True"),
        (changed("model", "vocab", "▁a", 999), "got a token with the character = '▁'"),
        (changed("model", "merges", None), "got model.merges = None"),
        (changed("model", "merges", 0, "th"), "got a merge = 'th'"),
        (changed("model", "merges", 0, ["t", "h", "e"]), "got a merge = "),
        (changed("model", "merges", 0, ["t", 4]), "got a merge = "),
        (changed("normalizer", {"type": "NFC"}), "got normalizer = {'type': 'NFC'}"),
        (changed("truncation", {"max_length": 8}), "got truncation = "),
        (changed("padding", {"strategy": "BatchLongest"}), "got padding = "),
        (changed("post_processor", {"type": "TemplateProcessing"}), "got post_processor = 'TemplateProcessing'"),
        (changed("decoder", {"type": "WordPiece"}), "got decoder = 'WordPiece'"),
        (changed("pre_tokenizer", None), "got pre_tokenizer = None"),
        (changed("pre_tokenizer", {"type": "Metaspace"}), "got pre_tokenizer = 'Metaspace'"),
        (changed("pre_tokenizer", "add_prefix_space", True), "got pre_tokenizer.add_prefix_space = True"),
        (changed("pre_tokenizer", sequence(SPLIT)), "got pre_tokenizer = "),
        (
            changed("pre_tokenizer", sequence(SPLIT | {"invert": True}, BYTE_LEVEL)),
            "got Split.invert = True",
        ),
        (
            changed("pre_tokenizer", sequence(SPLIT | {"behavior": "Removed"}, BYTE_LEVEL)),
            "got Split.behavior = 'Removed'",
        ),
        (
            changed(
                "pre_tokenizer", sequence(SPLIT | {"pattern": {"String": " "}}, BYTE_LEVEL)
            ),
            "got Split.pattern = ",
        ),
        (
            changed("pre_tokenizer", sequence(SPLIT, BYTE_LEVEL | {"use_regex": True})),
            "got ByteLevel.use_regex = True",
        ),
        (changed("added_tokens", []), r"no merge makes '<\|endoftext\|>', id 279"),
        (changed("added_tokens", "x"), "got added_tokens = 'x'"),
        (changed("added_tokens", 0, "special", False), r"added token '<\|endoftext\|>': special = False"),
        (changed("added_tokens", 0, "lstrip", True), r"added token '<\|endoftext\|>': lstrip = True"),
        (changed("added_tokens", 0, "content", 5), "got added_tokens = 5"),
        (changed("added_tokens", 0, "id", 5), r"got 5 for both '\\x05' and '<\|endoftext\|>'"),
    ],
)  # fmt: skip
def test_parts_that_mean_something_else_are_refused_in_one_line(values, said):
    with pytest.raises(BacklightError, match=said) as error:
        BPETokenizer.from_json(values)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400


def test_ignored_merges_are_accepted_in_python_too():
    with in_python():
        assert BPETokenizer.from_json(changed("model", "ignore_merges", True)) == learnt()


def test_ignored_merges_are_accepted_where_they_make_no_difference():
    assert BPETokenizer.from_json(changed("model", "ignore_merges", True)) == learnt()
    bytes_ = {bytes([byte]): byte for byte in range(256)}
    merges = [(b"a", b"b"), (b"b", b"c"), (b"a", b"bc")]  # abc becomes ab and c
    table = MergeTable({**bytes_, b"ab": 256, b"bc": 257, b"abc": 258}, merges, "gpt2")
    values = BPETokenizer(table).to_json()
    assert BPETokenizer.from_json(values).encode("abc").tolist() == [256, 99]
    values["model"]["ignore_merges"] = True
    with pytest.raises(DataError, match="ignore_merges, and merges that split 'abc'"):
        BPETokenizer.from_json(values)
    with pytest.raises(DataError, match="tiktoken's ranks must be ids in the order of the merges"):
        tiktoken.write(table)


@pytest.mark.parametrize(
    ("merges", "said"),
    [
        ("#version: 0.2\nt h\nth", r"got 'th' at line 3"),
        ("t h\nt h e\n", r"got 't h e' at line 2"),
        ("t h\n▁ t\n", r"got '▁' in merges.txt at line 2"),
        ("th e\nt h\n", r"merge 1 joins 'th' and 'e', but no merge before it makes 'th'"),
        ("a b\n", r"merge 1 joins 'a' and 'b', but the result has no id"),
        ("", r"no merge makes 'th', id 256"),
        ("t h\n" * 2, r"merge 2 joins 't' and 'h', but it is listed twice"),
    ],
)
def test_merges_that_make_no_sense_are_refused_in_one_line(merges, said, tmp_path):
    BPETokenizer.train("the the the", 258, special_tokens=[]).save(tmp_path / "x")
    (tmp_path / "x" / "merges.txt").write_text(merges, encoding="utf-8")
    with pytest.raises(BacklightError, match=said) as error:
        BPETokenizer.load(tmp_path / "x")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "256 are missing"),
        (b"!!!! 0\n", "got b'!!!! 0' at line 1"),
        (b"IQ==\n", "got b'IQ==' at line 1"),
        (b"IQ== x\n", "at line 1"),
        (b"IQ== 0\nIQ== 1\n", "got b'IQ== 1' at line 2"),
        (b"\x00\xff\x00", "at line 1"),
        (b"IQ== -1\n", "at line 1"),
        (b"IQ== 99999999999\n", "at line 1"),
    ],
)
def test_ranks_that_are_none_are_refused_in_one_line(content, said, tmp_path):
    (tmp_path / "x.tiktoken").write_bytes(content)
    with pytest.raises(BacklightError, match=said) as error:
        BPETokenizer.load(tmp_path / "x.tiktoken", pattern="gpt4")
    assert "\n" not in str(error.value)


def test_a_rank_that_cannot_be_built_is_refused():
    ranks = [(bytes([byte]), byte) for byte in range(256)] + [(b"abc", 256)]
    content = b"".join(base64.b64encode(token) + b" %d\n" % rank for token, rank in ranks)
    with pytest.raises(VocabularyError, match=r"'abc', rank 256, is not: its bytes merge into 3 parts"):
        tiktoken.read(content, "gpt2", {})


def test_what_a_file_does_not_say_must_be_given_and_what_it_says_must_not(tmp_path):
    learnt("gpt4").save(tmp_path / "x.tiktoken")
    learnt("gpt4").save(tmp_path / "x.json")
    with pytest.raises(DataError, match=r"needs one\. Give pattern"):
        BPETokenizer.load(tmp_path / "x.tiktoken")
    with pytest.raises(DataError, match="contains its own"):
        BPETokenizer.load(tmp_path / "x.json", pattern="gpt4")
    with pytest.raises(DataError, match="contains its own"):
        BPETokenizer.load(tmp_path / "x.json", special_tokens={})


@pytest.mark.parametrize("cut", [0, 1, 100, 2_000])
def test_truncated_files_are_refused_in_one_line(cut, tmp_path):
    learnt().save(tmp_path / "x.json")
    learnt().save(tmp_path / "x")
    whole = (tmp_path / "x.json").read_bytes()
    (tmp_path / "x.json").write_bytes(whole[:cut])
    (tmp_path / "x" / "vocab.json").write_bytes((tmp_path / "x" / "vocab.json").read_bytes()[:cut])
    for path in ("x.json", "x"):
        with pytest.raises(DataError, match="must be JSON") as error:
            BPETokenizer.load(tmp_path / path)
        assert "\n" not in str(error.value)


def test_foreign_files_are_refused_in_one_line(tmp_path):
    cases = {
        "nowhere.json": (None, "No such file"),
        "null.json": (b"null", "got model = None"),
        "deep.json": (b"[" * 100_000, "must be JSON"),
        "binary.json": (b"\xff\xfe\x00", "must be JSON"),
    }
    for name, (content, said) in cases.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=said) as error:
            BPETokenizer.load(tmp_path / name)
        assert "\n" not in str(error.value)
    with pytest.raises(DataError, match=r"has none\. Give the file"):
        BPETokenizer.load(tmp_path)
    (tmp_path / "vocab.json").write_text("[]")
    with pytest.raises(DataError, match=r"merges\.txt.*No such file"):
        BPETokenizer.load(tmp_path)
    (tmp_path / "merges.txt").write_text("")
    with pytest.raises(DataError, match=r"vocab\.json must have the id of each token"):
        BPETokenizer.load(tmp_path)
    (tmp_path / "merges.txt").write_bytes(b"\xff")
    with pytest.raises(DataError, match=r"merges\.txt must be UTF-8"):
        BPETokenizer.load(tmp_path)
    with pytest.raises(DataError, match="a tokenizer must be a file"):
        BPETokenizer.load("\0")


def test_what_a_format_cannot_say_is_not_written(tmp_path):
    with pytest.raises(DataError, match="imply GPT-2's splitting pattern"):
        learnt("gpt4").save(tmp_path / "x")
    with pytest.raises(DataError, match=r"saved as NAME\.json, NAME\.tiktoken or a folder"):
        learnt().save(tmp_path / "x.txt")
    assert names_in(tmp_path) == []


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    learnt().save(path)
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(DataError, match="No space left on device"):
        learnt("gpt4").save(path)
    assert path.read_bytes() == before
    assert names_in(tmp_path) == ["x.json"]
    monkeypatch.undo()
    (tmp_path / "taken").write_text("")
    with pytest.raises(DataError, match="a tokenizer needs a path that can be written"):
        learnt().save(tmp_path / "taken")
