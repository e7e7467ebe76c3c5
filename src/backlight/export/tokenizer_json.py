"""A vocabulary as Hugging Face's `tokenizer.json`, which puts the boundary before each text.

A model reads a boundary, then the text, and ends an item with a boundary: the boundary is both the token that begins a
text (BOS) and the one that ends it (EOS), under GPT-2's name `<|endoftext|>`. So with the file's post-processor,
`tokenizer(text)` gives the ids that the model reads, and what the model generates after them ends with the boundary.

Byte pairs are the file's own kind of model. The tokens of other vocabularies, which are whole matches of a pattern or
single characters, are one without merges: a piece that is a token is taken whole, and another one is spelled in
characters, which is our rule. A character that is not in the vocabulary raises an error, because the name of the
unknown token is none of the tokens.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from backlight.core import ExportError
from backlight.text.tokenizers import PatternVocabulary, TextVocabulary, TokenVocabulary
from backlight.text.tokenizers.pattern import PATTERNS
from backlight.text.tokenizers.vocabulary import END_OF_TEXT
from backlight.text.vocabulary import Vocabulary

_ANY: Final = r"[\s\S]"
_SPECIAL: Final = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}


def tokenizer_json(vocabulary: TextVocabulary, *, normalise: str | None = None) -> dict[str, Any]:
    """Return the content of `tokenizer.json`.

    Args:
        vocabulary: the vocabulary.
        normalise: the Unicode form of the model's texts, "nfc" or "nfd"; None for texts as they are.

    Raises:
        ExportError: a kind of vocabulary, or a token, that the file has no form of.
    """
    made = _byte_pairs(vocabulary) if isinstance(vocabulary, TokenVocabulary) else _pieces(vocabulary)
    boundary = made["model"]["vocab"][END_OF_TEXT]
    form = normalise.upper() if normalise in {"nfc", "nfd"} else None
    return {**made, "normalizer": form and {"type": form}, "post_processor": _boundary_first(boundary)}


def _byte_pairs(vocabulary: TokenVocabulary) -> dict[str, Any]:
    values = vocabulary.tokenizer.to_json()
    if END_OF_TEXT not in values["model"]["vocab"]:
        values["model"]["vocab"][END_OF_TEXT] = vocabulary.tokenizer.size
        values["added_tokens"] = [*values["added_tokens"], _added(vocabulary.tokenizer.size)]
    return values


def _pieces(vocabulary: TextVocabulary) -> dict[str, Any]:
    match vocabulary:
        case Vocabulary():
            tokens, pattern = list(vocabulary.characters), _ANY
        case PatternVocabulary():
            tokens, pattern = list(vocabulary.tokens), f"(?:{_without_name(vocabulary.pattern)})|{_ANY}"
        case _:
            raise ExportError(f"{type(vocabulary).__name__} has no form as tokenizer.json. Use --to onnx.")
    if END_OF_TEXT in tokens:
        raise ExportError(
            f"the name of the boundary, {END_OF_TEXT}, must not be a token; this vocabulary has it. Train on a text "
            "without it."
        )
    split = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [_added(0)],
        "pre_tokenizer": split,
        "decoder": {"type": "Fuse"},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": "<unknown character>",
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": True,
            "vocab": {END_OF_TEXT: 0, **{token: nth for nth, token in enumerate(tokens, 1)}},
            "merges": [],
        },
    }


def _without_name(pattern: str) -> str:
    r"""Return the pattern in the syntax of Oniguruma, which writes \u2019 as \x{2019} and does without `(?s:.)`."""
    written = PATTERNS.get(pattern, pattern)
    return re.sub(r"\\u([0-9a-fA-F]{4})", r"\\x{\1}", written)


def _added(boundary: int) -> dict[str, Any]:
    return {"id": boundary, "content": END_OF_TEXT, **_SPECIAL}


def _boundary_first(boundary: int) -> Mapping[str, Any]:
    first = {"SpecialToken": {"id": END_OF_TEXT, "type_id": 0}}
    a, b = ({"Sequence": {"id": name, "type_id": 0}} for name in "AB")
    return {
        "type": "TemplateProcessing",
        "single": [first, a],
        "pair": [first, a, b],
        "special_tokens": {END_OF_TEXT: {"id": END_OF_TEXT, "ids": [boundary], "tokens": [END_OF_TEXT]}},
    }
