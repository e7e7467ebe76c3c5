"""The vocabulary that a user names: characters, words, smiles, a pattern, or byte pairs."""

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final

from backlight.core import ConfigError
from backlight.text.tokenizers.bpe import BPETokenizer
from backlight.text.tokenizers.formats.files import NAMES as TOKENIZERS
from backlight.text.tokenizers.numbers import FORMAT as NUMBERS_FORMAT
from backlight.text.tokenizers.numbers import NAME as NUMBERS
from backlight.text.tokenizers.numbers import NumberVocabulary
from backlight.text.tokenizers.pattern import FORMAT as PATTERN_FORMAT
from backlight.text.tokenizers.pattern import PATTERNS, PatternVocabulary, compiled
from backlight.text.tokenizers.protocol import TextVocabulary
from backlight.text.tokenizers.training import BYTES
from backlight.text.tokenizers.vocabulary import TokenVocabulary
from backlight.text.vocabulary import CHARACTERS, Vocabulary

NAMES: Final = (CHARACTERS, *PATTERNS, *TOKENIZERS)
_BPE: Final = re.compile(r"bpe:(\d{1,9})")


def check_tokens(tokens: str) -> None:
    """Check the name of a vocabulary.

    Raises:
        ConfigError: it is no name, and no regular expression with which a text could be split.
    """
    if tokens in {*NAMES, NUMBERS} or _BPE.fullmatch(tokens):
        return
    if re.fullmatch(r"[\w:-]+", tokens):  # it would match one word only
        near = get_close_matches(tokens, NAMES, n=1)
        raise ConfigError(
            f"tokens must be {', '.join(NAMES)}, bpe:N (N tokens, from {BYTES}) or a regular expression; got"
            f" {tokens!r}. {f'Did you mean {near[0]}?' if near else 'Choose one of these.'}"
        )
    compiled(tokens)


def pairs_of(tokens: str) -> int | None:
    """Return N of "bpe:N"; None for another name.

    Raises:
        ConfigError: N is less than the number of bytes.
    """
    pairs = _BPE.fullmatch(tokens)
    if pairs is None:
        return None
    if int(pairs[1]) < BYTES:
        raise ConfigError(f"bpe:N has the {BYTES} bytes and merges of them; got {tokens}. Try bpe:{2 * BYTES}.")
    return int(pairs[1])


_SMILES: Final = re.compile(r"(?:\[[A-Za-z0-9@+:*#-]+\]|Br|Cl|[BCNOPSFIbcnops*]|[-=#$:/\\.()]|%\d\d|\d)+")
_SIGNS_OF_SMILES: Final = re.compile(r"[\d()=#\[]")
_LOOKED_AT: Final = 500
_NEARLY_ALL: Final = 0.95


def looks_like_smiles(items: Sequence[str]) -> bool:
    """Return whether nearly all of some items are molecules in SMILES: atoms, with brackets and rings that close."""
    some = [items[nth] for nth in range(0, len(items), max(1, len(items) // _LOOKED_AT))]
    return sum(map(_is_smiles, some)) >= _NEARLY_ALL * len(some)


def _is_smiles(item: str) -> bool:
    if not (_SMILES.fullmatch(item) and _SIGNS_OF_SMILES.search(item)) or item.count("(") != item.count(")"):
        return False
    bare = re.sub(r"\[[^\]]*\]", "", item)
    rings = re.findall(r"%\d\d|\d", bare)
    return bool(re.search("[A-Za-z]", bare)) and all(rings.count(ring) % 2 == 0 for ring in set(rings))


def vocabulary_of(tokens: str, train: Sequence[str], whole: Sequence[str]) -> TextVocabulary:
    """Return the vocabulary of a text.

    Args:
        tokens: "characters", "words", "smiles", "bpe:N" with N tokens, "gpt2" with those of GPT-2, or a regular
            expression, whose matches become tokens.
        train: the items from which tokens of several characters are learnt.
        whole: all items, whose characters are in the vocabulary.

    Raises:
        ConfigError: there is no such vocabulary, or the text gives fewer than N tokens.
        VocabularyError: there is no character.
    """
    check_tokens(tokens)
    if tokens == CHARACTERS:
        return Vocabulary.of(whole)
    if tokens in TOKENIZERS:
        return TokenVocabulary(BPETokenizer.load(tokens))
    if tokens == NUMBERS:
        raise ConfigError(f"tokens {NUMBERS} are of token files without a tokenizer; got a text. Choose another.")
    size = pairs_of(tokens)
    if size is None:
        return PatternVocabulary.of(tokens, train, known=whole)
    try:
        return TokenVocabulary(BPETokenizer.train(train, size))
    except ConfigError as error:
        most = re.search(r"vocabulary_size=(\d+) or less", str(error))
        if most is None:
            raise
        raise ConfigError(
            f"each token needs a pair to merge; this text gives {most[1]} tokens at most; got {tokens}. Use"
            f" bpe:{most[1]}, or more text."
        ) from None


def vocabulary_from_json(values: Mapping[str, Any]) -> TextVocabulary:
    """Return the vocabulary that a `to_json` returned.

    Raises:
        VocabularyError, DataError: the values are damaged, or were written by another version.
    """
    if values.get("format") == PATTERN_FORMAT:
        return PatternVocabulary.from_json(values)
    if values.get("format") == NUMBERS_FORMAT:
        return NumberVocabulary.from_json(values)
    return TokenVocabulary.from_json(values) if "model" in values else Vocabulary.from_json(values)
