"""Text to ids and back."""

import copy
import pickle
import random
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.text.tokenizers.ways import in_python, needs_kernels, texts

from backlight.core import ConfigError, DataError, VocabularyError
from backlight.text.tokenizers import BPETokenizer, MergeTable

TEXT = (
    "the theme of the thesis: then there were three, thrice. Ångström, straße, 中文中文, 😀😀 1234 1234\n\n\tend\r\n"
    * 3
)
END = "<|endoftext|>"
PATTERNS = ["gpt2", "gpt4", None, r"\p{L}+|\s+"]
BYTES = {bytes([byte]): byte for byte in range(256)}


@cache
def learnt(pattern="gpt2", *special_tokens):
    return BPETokenizer.train(TEXT, 304, pattern=pattern, special_tokens=special_tokens)


@cache
def learnt_in_python(pattern):
    with in_python():
        made = BPETokenizer.train(TEXT, 304, pattern=pattern)
        made.encode("")  # and so without kernels
    return made


@needs_kernels
@pytest.mark.parametrize("pattern", PATTERNS)
@given(text=st.one_of(texts, st.text(st.sampled_from(TEXT), max_size=40)))
def test_decode_undoes_encode_in_both_ways(pattern, text):
    compiled = learnt(pattern)
    ids = compiled.encode(text)
    assert compiled.decode(ids) == text
    assert compiled.decode_bytes(ids) == text.encode()
    with in_python():
        assert learnt_in_python(pattern).encode(text).tolist() == ids.tolist()


@pytest.mark.parametrize("pattern", PATTERNS)
@given(many=st.lists(texts, max_size=5))
def test_a_batch_is_encoded_text_by_text(pattern, many):
    tokenizer = learnt(pattern)
    expected = [tokenizer.encode(text).tolist() for text in many]
    assert [ids.tolist() for ids in tokenizer.encode_batch(many)] == expected
    with in_python():
        assert [ids.tolist() for ids in learnt_in_python(pattern).encode_batch(many)] == expected


def test_ids_are_whole_numbers_of_64_bits():
    ids = learnt().encode("the end")
    assert ids.dtype == np.int64
    assert learnt().encode("").tolist() == []
    assert learnt().encode("").dtype == np.int64


def test_merges_are_made_in_the_order_in_which_they_were_learnt():
    merges = [(b"b", b"c"), (b"a", b"b"), (b"bc", b"d")]
    tokenizer = BPETokenizer(MergeTable({**BYTES, b"bc": 256, b"ab": 257, b"bcd": 258}, merges, None))
    assert tokenizer.encode("abcd").tolist() == [97, 258]
    with in_python():
        again = BPETokenizer(tokenizer.table)
        assert again.encode("abcd").tolist() == [97, 258]


@pytest.mark.parametrize("length", [15, 16, 17, 95, 96, 97, 255, 256, 5_000])
@pytest.mark.parametrize("unit", ["a", "ab", "abc", "é"])
def test_long_pieces_are_merged_as_short_ones_are(unit, length):
    tokenizer = BPETokenizer.train("aaaa ababab abcabc éééé", 270, pattern=None)
    text = unit * length + "\n"
    ids = tokenizer.encode(text)
    with in_python():
        assert BPETokenizer(tokenizer.table).encode(text).tolist() == ids.tolist()
    assert ids.tolist() == tokenizer.encode(text).tolist()  # remembered
    assert tokenizer.decode(ids) == text


def test_long_pieces_without_a_pattern_are_merged_alike_in_both_ways():
    rng = random.Random(11)
    tokenizer = BPETokenizer.train("".join(rng.choices("abcd", k=3_000)), 400, pattern=None)
    for length in range(97, 400, 7):
        text = "".join(rng.choices("abcd", k=length))
        with in_python():
            expected = BPETokenizer(tokenizer.table).encode(text).tolist()
        assert tokenizer.encode(text).tolist() == expected


def test_pieces_that_differ_in_one_byte_or_in_length_are_not_confused():
    tokenizer = learnt(None)
    rng = random.Random(3)
    for length in (1, 2, 7, 8, 9, 14, 15, 16, 17, 24, 40):
        base = bytes(rng.choices(range(1, 128), k=length))
        for place in range(length):
            other = base[:place] + b"\0" + base[place + 1 :]
            for text in (base.decode(), other.decode(), base.decode() + "\0", base.decode()[:-1]):
                assert tokenizer.decode(tokenizer.encode(text)) == text


def test_more_pieces_than_are_remembered_are_encoded_all_the_same():
    tokenizer = BPETokenizer.train("10 11 12 13 14 15 16 17", 262)
    numbers = [str(number) for number in range(300_000)]
    text = " ".join(numbers)
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert tokenizer.encode(text).tolist() == ids.tolist()
    assert BPETokenizer(tokenizer.table).encode(text[-1_000:]).tolist() == tokenizer.encode(text[-1_000:]).tolist()


def test_bytes_that_are_no_utf8_become_replacement_characters():
    tokenizer = learnt()
    ids = tokenizer.encode("é")[:1]
    halves = [0xC3] if len(tokenizer.encode("é")) > 1 else [0xE4, 0xB8]
    assert tokenizer.decode(halves) == "\ufffd"
    assert tokenizer.decode_bytes(halves) == bytes(halves)
    assert tokenizer.decode([*halves, 65]) == "\ufffdA"
    assert tokenizer.decode_bytes(ids)
    assert tokenizer.decode([]) == ""


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        ([304], r"ids must be in 0\.\.303; got 304"),
        ([0, -1], "got -1"),
        ([1.0], "ids must be whole numbers; got float64"),
        (np.array([True]), "ids must be whole numbers; got bool"),
    ],
)
def test_ids_of_another_tokenizer_are_refused(ids, said):
    with pytest.raises(VocabularyError, match=said) as error:
        learnt().decode(ids)
    assert "\n" not in str(error.value)


def test_an_id_that_is_no_token_is_refused():
    tokenizer = BPETokenizer(MergeTable(BYTES, [], "gpt2", {END: 300}))
    assert tokenizer.size == 301
    assert tokenizer.decode([300]) == END
    with pytest.raises(VocabularyError, match="every id must have a token; got 299"):
        tokenizer.decode([65, 299])


# -- special tokens ----------------------------------------------------------------------------------------------------


def test_a_special_token_in_a_text_is_refused_unless_you_say_what_it_is():
    tokenizer = learnt("gpt2", END)
    end = tokenizer.special_tokens[END]
    text = f"the end{END}then{END}"
    with pytest.raises(VocabularyError, match=r"must be allowed; got '<\|endoftext\|>' at character 8") as error:
        tokenizer.encode(text)
    assert "\n" not in str(error.value)
    allowed = tokenizer.encode(text, allowed_special={END}).tolist()
    assert allowed == tokenizer.encode(text, allowed_special="all").tolist()
    assert allowed == [*tokenizer.encode("the end"), end, *tokenizer.encode("then"), end]
    as_text = tokenizer.encode(text, disallowed_special=())
    assert end not in as_text
    assert tokenizer.decode(as_text) == tokenizer.decode(allowed) == text
    assert as_text.tolist() == tokenizer.encode_ordinary(text).tolist()


def test_special_tokens_are_refused_one_by_one():
    tokenizer = learnt("gpt2", "<|a|>", "<|b|>")
    with pytest.raises(VocabularyError, match=r"got '<\|b\|>' at character 1\."):
        tokenizer.encode("<|b|><|a|>", allowed_special={"<|a|>"})
    ids = tokenizer.encode("<|b|><|a|>", allowed_special={"<|a|>"}, disallowed_special=())
    assert ids.tolist()[-1] == tokenizer.special_tokens["<|a|>"]
    assert tokenizer.special_tokens["<|b|>"] not in ids
    with pytest.raises(VocabularyError, match=r"got '<\|a\|>' at character 6"):
        tokenizer.encode("<|b|><|a|>", allowed_special={"<|a|>", "<|b|>"}, disallowed_special={"<|a|>"})


def test_of_special_tokens_that_begin_alike_the_longest_is_taken():
    tokenizer = learnt("gpt2", "<|a|>", "<|a|>b")
    assert tokenizer.encode("<|a|>bb", allowed_special="all").tolist() == [303, 98]


def test_unknown_special_tokens_are_refused():
    with pytest.raises(VocabularyError, match="special tokens of this tokenizer are: none; got '<x>'"):
        learnt().encode("text", allowed_special={"<x>"})
    with pytest.raises(VocabularyError, match=r"are: '<\|endoftext\|>'; got 'end'"):
        learnt("gpt2", END).encode("text", disallowed_special="end")


# -- as an object ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("again", [copy.deepcopy, copy.copy, lambda one: pickle.loads(pickle.dumps(one))])  # noqa: S301
def test_a_copy_encodes_alike_and_outlives_the_first(again):
    tokenizer = learnt("gpt2", END)
    ids = tokenizer.encode(TEXT).tolist()
    made = again(tokenizer)
    assert made == tokenizer
    del tokenizer
    assert made.encode(TEXT).tolist() == ids


@pytest.mark.parametrize("text", [b"bytes", None, 5, ["a"]])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_what_is_no_text_is_refused(pattern, text):
    def check():
        with pytest.raises(DataError, match="a text must be a string; got"):
            learnt(pattern).encode_ordinary(text)
        with pytest.raises(DataError, match="a text must be a string; got int"):
            BPETokenizer.train(b"bytes", 300, pattern=pattern)

    check()
    with in_python():
        check()


def test_threads_may_share_a_tokenizer():
    tokenizer = learnt()
    rng = random.Random(7)
    many = ["".join(rng.choices(TEXT, k=20_000)) for _ in range(16)]
    expected = [BPETokenizer(tokenizer.table).encode(text).tolist() for text in many]
    with ThreadPoolExecutor(4) as pool:
        assert [ids.tolist() for ids in pool.map(tokenizer.encode, many)] == expected


def test_labels_can_be_read():
    tokenizer = BPETokenizer.train("the the\n\n\t\x1b[0m é \u200b\u0301中", 270, pattern=None, special_tokens=[END])
    labels = {tokenizer.token(i): tokenizer.label(i) for i in range(tokenizer.size)}
    assert labels[b" "] == "\N{OPEN BOX}"
    assert labels[b"\x1b"] == "\\x1b"
    assert labels[b"\xc3"] == "\\xc3"
    assert labels[b"\\"] == "\\\\"
    assert labels[END.encode()] == END
    assert all(label.isprintable() for label in labels.values())
    assert len(set(labels.values())) == tokenizer.size
    with pytest.raises(VocabularyError, match="got 270"):
        tokenizer.label(270)


# -- tables that make no sense -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "merges", "specials", "said"),
    [
        ({}, [(b"a", b"b")], {}, r"merge 1 joins 'a' and 'b', but the result has no id"),
        ({b"ab": 256}, [], {}, r"no merge makes 'ab', id 256"),
        ({b"abc": 256, b"ab": 257}, [(b"ab", b"c"), (b"a", b"b")], {}, r"merge 1 .* no merge before it makes 'ab'"),
        ({b"abc": 256, b"bc": 257}, [(b"a", b"bc"), (b"b", b"c")], {}, r"merge 1 .* no merge before it makes 'bc'"),
        ({b"ab": 256, b"ba": 257}, [(b"ab", b"a"), (b"a", b"ba")], {}, r"merge 1 .* no merge before it makes 'ab'"),
        ({b"ab": 256}, [(b"a", b"b"), (b"a", b"b")], {}, r"merge 2 .* it is listed twice"),
        ({b"ab": 65}, [(b"a", b"b")], {}, r"got 65 for both 'A' and 'ab'"),
        ({}, [], {END: 10}, r"got 10 for both '\\n' and|got 10 for both '.' and '<\|endoftext\|>'"),
        ({b"ab": -1}, [(b"a", b"b")], {}, r"ids must be in 0\.\.16777215; got -1 for 'ab'"),
        ({b"ab": 1 << 40}, [(b"a", b"b")], {}, r"got 1099511627776"),
        ({b"": 256}, [], {}, "a token must have at least one byte"),
        ({}, [], {"": 256}, "a token must have at least one byte"),
    ],
)
def test_tables_that_cannot_be_are_refused(more, merges, specials, said):
    with pytest.raises(VocabularyError, match=said) as error:
        MergeTable({**BYTES, **more}, merges, "gpt2", specials)
    assert "\n" not in str(error.value)


def test_a_table_without_all_bytes_is_refused():
    with pytest.raises(VocabularyError, match=r"2 are missing, the first is 0x07"):
        MergeTable({token: i for token, i in BYTES.items() if token not in {b"\x07", b"\xff"}}, [], "gpt2")
    with pytest.raises(ConfigError, match="pattern must be"):
        MergeTable(BYTES, [], "gpt3")


def test_the_history_of_a_token_lists_its_merges_in_order():
    others = [(b"x", bytes([byte])) for byte in range(62)]
    merges = [*others[:6], (b"c", b"d"), (b"a", b"b"), *others[6:], (b"ab", b"cd"), (b"abcd", b"abcd")]
    made = {left + right: 256 + i for i, (left, right) in enumerate(merges)}
    table = MergeTable({**BYTES, **made}, merges, None)
    expected = [(7, b"c", b"d"), (8, b"a", b"b"), (65, b"ab", b"cd"), (66, b"abcd", b"abcd")]
    assert table.history(b"abcdabcd") == expected
    assert table.history(b"ab") == [(8, b"a", b"b")]
    assert table.history(b"a") == []
