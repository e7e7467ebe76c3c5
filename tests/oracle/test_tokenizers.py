"""Byte-pair encoding beside the packages that others use: equal pieces, equal ids, files that both read."""

import base64
import json
import random
import unicodedata
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import shared_file
from tests.unit.text.tokenizers.ways import SOME, in_python

from backlight.text import load_corpus
from backlight.text.tokenizers import GPT4, PATTERNS, BPETokenizer, Splitter
from backlight.text.tokenizers.formats import tiktoken as ranks_format
from backlight.text.tokenizers.splitting import _RULES, SPELLINGS
from backlight.text.tokenizers.unicode import character_classes

regex = pytest.importorskip("regex", reason="the pieces are compared with those of the package regex")
tiktoken = pytest.importorskip("tiktoken", reason="the ids are compared with those of tiktoken")
tokenizers = pytest.importorskip("tokenizers", reason="the files are read by Hugging Face's tokenizers")
rustbpe = pytest.importorskip("rustbpe", reason="the merges are compared with those of rustbpe")

END = "<|endoftext|>"
ASSIGNED = [chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) not in {"Cn", "Cs"}]
"""Characters that this Python knows; the packages may know newer ones, and each has its own version of Unicode."""

strings = st.one_of(
    st.text(st.sampled_from(SOME), max_size=40),
    st.text(st.sampled_from(SOME + "lvreLVREdmtDMT\u212a\ufb05\u2019\u0085\u2028\x1c_-"), max_size=40),
    st.text(st.sampled_from(ASSIGNED), max_size=20),
)


def random_texts(count, seed):
    """Texts of made-up words in several scripts, signs, white space and whatever else Unicode has."""
    rng = random.Random(seed)
    words = [
        "the",
        "it's",
        "WE'LL",
        "naïve",
        "слово",
        "中文",
        "한국어",
        "123",
        "4567890",
        "x1",
        "½",
        "🙂",
        "e\u0301",
        "_a",
    ]
    between = [" ", " ", "  ", "\n", "\r\n", "\t", "!", "(", "'", "--"]
    for _ in range(count):
        yield "".join(rng.choices([*words, *rng.sample(ASSIGNED, 5), *between], k=rng.randint(0, 30)))


@cache
def gpt2():
    return BPETokenizer.load(shared_file("gpt2/encoder.json").parent)


def in_tiktoken(tokenizer, pattern):
    ranks, special = dict(tokenizer.table.vocabulary), dict(tokenizer.special_tokens)
    return tiktoken.Encoding("ours", pat_str=pattern, mergeable_ranks=ranks, special_tokens=special)


def in_hugging_face(tokenizer):
    return tokenizers.Tokenizer.from_str(json.dumps(tokenizer.to_json()))


# -- pieces ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", [pattern for pattern in (*_RULES, *SPELLINGS) if pattern is not None])
@given(text=strings)
def test_pieces_are_those_of_the_regular_expression(pattern, text):
    expected = regex.findall(pattern, text)
    splitter = Splitter(pattern)
    assert splitter.split(text) == expected
    with in_python():
        assert splitter.split(text) == expected


@pytest.mark.parametrize(
    "pattern", [r"\p{L}+|\p{N}|\s", r"[^\s\p{N}]+|\s+(?!\S)|\S", r"(?:\p{L}|\P{L})\p{N}?", r"\s+\z|\s"]
)
@given(text=strings)
def test_patterns_of_ones_own_mean_what_they_mean_elsewhere(pattern, text):
    split = tokenizers.pre_tokenizers.Split(tokenizers.Regex(pattern), "isolated")
    assert Splitter(pattern).split(text) == [piece for piece, _ in split.pre_tokenize_str(text)]


def test_letters_and_numbers_are_those_of_tiktoken_and_hugging_face():
    """Unless they know another version of Unicode: then this test says so, and the table is to be made again."""
    classes = character_classes()
    everything = "".join(chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)
    bytes_ = {bytes([byte]): byte for byte in range(256)}
    for number, name in ((1, r"\p{L}"), (2, r"\p{N}"), (3, r"\s")):
        ours = "".join(map(chr, (classes == number).nonzero()[0].tolist()))
        only = tiktoken.Encoding("only", pat_str=name, mergeable_ranks=bytes_, special_tokens={})
        assert only.decode(only.encode_ordinary(everything)) == ours  # what the pattern does not match is left out
        split = tokenizers.pre_tokenizers.Split(tokenizers.Regex(name), "removed")
        blocks = (everything[start : start + 4_096] for start in range(0, len(everything), 4_096))
        others = "".join(piece for block in blocks for piece, _ in split.pre_tokenize_str(block))
        assert "".join(sorted(set(everything) - set(others))) == ours


# -- ids ---------------------------------------------------------------------------------------------------------------


def test_gpt2s_ids_are_tiktokens_and_hugging_faces():
    ours = gpt2()
    theirs, hugging_face = in_tiktoken(ours, PATTERNS["gpt2"]), in_hugging_face(ours)
    corpus = load_corpus("shakespeare").items[0][:200_000]
    for text in [*random_texts(2_000, seed=1), corpus, "a" * 3_000, " " * 999 + "x", "\n" * 500]:
        ids = ours.encode(text).tolist()
        assert ids == theirs.encode(text) == hugging_face.encode(text).ids
        assert ours.decode(ids) == theirs.decode(ids) == text


@pytest.mark.parametrize("pattern", ["gpt2", "gpt4", None])
@given(text=strings)
def test_ids_of_a_learnt_tokenizer_are_tiktokens_and_hugging_faces(pattern, text):
    ours, theirs, hugging_face = learnt(pattern)
    ids = ours.encode(text).tolist()
    assert ids == theirs.encode(text)
    assert ids == hugging_face.encode(text).ids
    assert ours.decode(ids) == hugging_face.decode(ids, skip_special_tokens=False) == text


@cache
def learnt(pattern):
    text = load_corpus("shakespeare").items[0][:100_000] + "".join(random_texts(300, seed=2))
    ours = BPETokenizer.train(text, 1_000, pattern=pattern, special_tokens=[END])
    return ours, in_tiktoken(ours, PATTERNS.get(pattern, r"[\s\S]+")), in_hugging_face(ours)


def test_halves_of_characters_decode_as_tiktokens_do():
    ours, theirs, _ = learnt("gpt2")
    rng = random.Random(3)
    for _ in range(500):
        ids = rng.choices(range(ours.size), k=12)
        assert ours.decode(ids) == theirs.decode(ids)
        assert ours.decode_bytes(ids) == theirs.decode_bytes(ids)


def test_special_tokens_are_treated_as_tiktoken_treats_them():
    ours, theirs, hugging_face = learnt("gpt4")
    text = f"to be{END}or not{END}{END}"
    with pytest.raises(ValueError, match="disallowed special token"):
        theirs.encode(text)
    with pytest.raises(ValueError, match="special token in a text must be allowed"):
        ours.encode(text)
    for settings in ({"allowed_special": {END}}, {"allowed_special": "all"}, {"disallowed_special": ()}):
        assert ours.encode(text, **settings).tolist() == theirs.encode(text, **settings)
    assert ours.encode(text, allowed_special="all").tolist() == hugging_face.encode(text).ids


# -- files -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", ["gpt2", "gpt4", None])
def test_hugging_face_reads_our_file_and_we_read_what_it_writes(pattern, tmp_path):
    ours, *_ = learnt(pattern)
    ours.save(tmp_path / "tokenizer.json")
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert theirs.get_vocab_size() == ours.size
    assert theirs.token_to_id(END) == ours.special_tokens[END]
    theirs.save(str(tmp_path / "again.json"))
    assert BPETokenizer.load(tmp_path / "again.json") == ours


def test_hugging_face_reads_our_gpt2_files(tmp_path):
    ours, *_ = learnt("gpt2")
    ours.save(tmp_path / "folder")
    model = tokenizers.models.BPE.from_file(
        str(tmp_path / "folder" / "vocab.json"), str(tmp_path / "folder" / "merges.txt")
    )
    theirs = tokenizers.Tokenizer(model)
    theirs.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    for text in random_texts(300, seed=4):
        assert theirs.encode(text).ids == ours.encode(text).tolist()


def test_tiktoken_reads_our_ranks(tmp_path):
    from tiktoken.load import load_tiktoken_bpe

    ours, *_ = learnt("gpt4")
    ours.save(tmp_path / "ours.tiktoken")
    ranks = load_tiktoken_bpe(str(tmp_path / "ours.tiktoken"))
    theirs = tiktoken.Encoding("ours", pat_str=GPT4, mergeable_ranks=ranks, special_tokens={})
    for text in random_texts(300, seed=5):
        assert theirs.encode(text) == ours.encode(text).tolist()


@pytest.mark.parametrize("split", [False, True])
def test_we_read_what_hugging_face_has_learnt(split):
    theirs = tokenizers.Tokenizer(tokenizers.models.BPE())
    byte_level = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=not split)
    by_pattern = tokenizers.pre_tokenizers.Split(tokenizers.Regex(GPT4), "isolated")
    theirs.pre_tokenizer = tokenizers.pre_tokenizers.Sequence([by_pattern, byte_level]) if split else byte_level
    theirs.decoder = tokenizers.decoders.ByteLevel()
    theirs.post_processor = tokenizers.processors.ByteLevel(trim_offsets=False)
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=700, show_progress=False, special_tokens=[END],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    theirs.train_from_iterator(random_texts(500, seed=6), trainer)
    ours = BPETokenizer.from_json(json.loads(theirs.to_str()))
    assert ours.special_tokens == {END: 0}
    for text in random_texts(500, seed=7):
        assert ours.encode(text).tolist() == theirs.encode(text).ids


def test_we_read_what_rustbpe_has_learnt_and_encode_alike():
    theirs = rustbpe.Tokenizer()
    theirs.train_from_iterator(random_texts(500, seed=8), 700)
    ranks = {bytes(token): rank for token, rank in theirs.get_mergeable_ranks()}
    lines = b"".join(base64.b64encode(token) + b" %d\n" % rank for token, rank in ranks.items())
    ours = BPETokenizer(ranks_format.read(lines, theirs.get_pattern(), {}))
    for text in random_texts(500, seed=9):
        assert ours.encode(text).tolist() == theirs.encode(text)


# -- ties: what docs/tokenizers.md says --------------------------------------------------------------------------------

TIE = "ab ba cd dc"
"""Every pair within a word occurs once."""


def test_ties_are_broken_as_the_table_says():
    assert list(BPETokenizer.train(TIE, 260).table.merges) == [(b"a", b"b"), (b" ", b"b"), (b" b", b"a"), (b" ", b"c")]
    from tiktoken._educational import bpe_train

    assert list(bpe_train(TIE, 260, PATTERNS["gpt2"], visualise=None))[256:] == [b"ab", b" b", b" ba", b" c"]
    theirs = rustbpe.Tokenizer()
    theirs.train_from_iterator([TIE], 260)
    assert [bytes(token) for token, _ in theirs.get_mergeable_ranks()][256:] == [b" b", b" c", b" d", b"ab"]
    hugging_face = tokenizers.Tokenizer(tokenizers.models.BPE())
    hugging_face.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    hugging_face.train_from_iterator(
        [TIE], tokenizers.trainers.BpeTrainer(vocab_size=260, show_progress=False, initial_alphabet=alphabet)
    )
    vocabulary = hugging_face.get_vocab()
    assert sorted(vocabulary, key=vocabulary.get)[256:] == ["ab", "ba", "cd", "dc"]


@pytest.mark.parametrize("pattern", ["gpt2", "gpt4"])
def test_merges_are_those_of_tiktokens_educational_trainer(pattern):
    from tiktoken._educational import bpe_train

    for seed in range(8):
        text = " ".join(random_texts(15, seed=100 + seed))
        ours = BPETokenizer.train(text, 320, pattern=pattern)
        assert dict(ours.table.vocabulary) == bpe_train(text, 320, PATTERNS[pattern], visualise=None)
