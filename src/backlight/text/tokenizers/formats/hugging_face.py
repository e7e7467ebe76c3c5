"""Hugging Face's `tokenizer.json`: the components of byte-level byte-pair encoding, and their values.

A file may have components that a byte-level tokenizer does not have (lower case, prefixes, templates). Each of them
raises an error: a tokenizer without it would give other ids than the tokenizers package.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from backlight.core import DataError
from backlight.text.tokenizers.encoding import Encoding
from backlight.text.tokenizers.formats.byte_characters import to_bytes, to_characters
from backlight.text.tokenizers.splitting import GPT2
from backlight.text.tokenizers.table import MergeTable
from backlight.text.tokenizers.visible import shown

_BYTE_LEVEL: Final = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
_ADDED: Final = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}


def write(table: MergeTable) -> dict[str, Any]:
    """Return the content of the file."""
    specials = table.special_tokens.items()
    vocabulary = {to_characters(token): i for token, i in table.vocabulary.items()} | dict(specials)
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": i, "content": name, **_ADDED} for name, i in specials],
        "normalizer": None,
        "pre_tokenizer": _pre_tokenizer(table.pattern),
        "post_processor": None,
        "decoder": _BYTE_LEVEL,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": dict(sorted(vocabulary.items(), key=lambda one: one[1])),
            "merges": [f"{to_characters(left)} {to_characters(right)}" for left, right in table.merges],
        },
    }


def _pre_tokenizer(pattern: str | None) -> dict[str, Any]:
    if pattern == GPT2:
        return _BYTE_LEVEL
    only_bytes = {**_BYTE_LEVEL, "use_regex": False}
    if pattern is None:
        return only_bytes
    split = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    return {"type": "Sequence", "pretokenizers": [split, only_bytes]}


def read(values: Mapping[str, Any]) -> MergeTable:
    """Return the tokenizer that the content of a file describes.

    Raises:
        DataError: it has a component that byte-level byte-pair encoding does not have, or is damaged.
        VocabularyError: a token cannot be built from merges, or a byte is missing.
    """
    if not isinstance(values, Mapping) or not isinstance(values.get("model"), Mapping):
        raise _unsuitable("model", values.get("model") if isinstance(values, Mapping) else values)
    for part in ("truncation", "padding", "normalizer"):
        _only(part, values.get(part), (None,))
    _only("post_processor", _type(values.get("post_processor")), (None, "ByteLevel"))  # ByteLevel moves offsets only
    _only("decoder", _type(values.get("decoder")), (None, "ByteLevel"))
    model = values["model"]
    _only("model.type", model.get("type", "BPE"), ("BPE",))
    _only("model.dropout", model.get("dropout"), (None, 0, 0.0))
    for part in ("continuing_subword_prefix", "end_of_word_suffix"):
        _only(f"model.{part}", model.get(part), (None, ""))
    specials = _special_tokens(values.get("added_tokens") or [])
    vocabulary, merges = _mapping("model.vocab", model.get("vocab")), model.get("merges")
    if not isinstance(merges, list):
        raise _unsuitable("model.merges", merges)
    try:
        table = MergeTable(
            {to_bytes(token): _id(i) for token, i in vocabulary.items() if token not in specials},
            [_merge(one) for one in merges],
            _pattern(values.get("pre_tokenizer")),
            specials,
        )
    except KeyError as error:
        raise _unsuitable("a token with the character", error.args[0]) from None
    if model.get("ignore_merges"):
        _check_whole_pieces(table)
    return table


def _check_whole_pieces(table: MergeTable) -> None:
    """Refuse `ignore_merges`, with which a piece that is a token is not merged, if merging would give other ids."""
    tokens = [(token, i) for token, i in table.vocabulary.items()]
    whole = Encoding(replace(table, pattern=None))
    ids, ends = whole.encode([token for token, _ in tokens])
    for (token, i), start, end in zip(tokens, [0, *ends.tolist()], ends.tolist(), strict=False):
        if ids[start:end].tolist() != [i]:
            raise _unsuitable(f"model.ignore_merges, and merges that split '{shown(token)}'", True)  # noqa: FBT003


def _pattern(part: Any) -> str | None:
    if _type(part) == "Sequence":
        steps = part.get("pretokenizers")
        if not isinstance(steps, list) or [_type(step) for step in steps] != ["Split", "ByteLevel"]:
            raise _unsuitable("pre_tokenizer", part)
        split, byte_level = steps
        _only("Split.behavior", split.get("behavior"), ("Isolated",))
        _only("Split.invert", split.get("invert", False), (False,))
        _only("ByteLevel.use_regex", byte_level.get("use_regex", True), (False,))
        _only("ByteLevel.add_prefix_space", byte_level.get("add_prefix_space"), (False,))
        pattern = _mapping("Split.pattern", split.get("pattern")).get("Regex")
        if not isinstance(pattern, str):
            raise _unsuitable("Split.pattern", split.get("pattern"))
        return pattern
    _only("pre_tokenizer", _type(part), ("ByteLevel",))
    _only("pre_tokenizer.add_prefix_space", part.get("add_prefix_space"), (False,))
    return GPT2 if part.get("use_regex", True) else None


def _special_tokens(added: Any) -> dict[str, int]:
    if not isinstance(added, list):
        raise _unsuitable("added_tokens", added)
    found = {}
    for one in added:
        token = _mapping("added_tokens", one)
        for part in ("single_word", "lstrip", "rstrip"):
            _only(f"added token {token.get('content')!r}: {part}", token.get(part, False), (False,))
        _only(f"added token {token.get('content')!r}: special", token.get("special"), (True,))
        found[_text("added_tokens", token.get("content"))] = _id(token.get("id"))
    return found


def _merge(given: Any) -> tuple[bytes, bytes]:
    """Return a merge, which is a list of two strings in newer files, and a string with a space in older ones."""
    parts = given.split(" ") if isinstance(given, str) else given
    if not isinstance(parts, list) or len(parts) != 2 or not all(isinstance(part, str) for part in parts):
        raise _unsuitable("a merge", given)
    return to_bytes(parts[0]), to_bytes(parts[1])


def _type(part: Any) -> Any:
    return part.get("type") if isinstance(part, Mapping) else part


def _only(part: str, given: Any, allowed: tuple[Any, ...]) -> None:
    if not any(given == one and type(given) is type(one) for one in allowed):
        raise _unsuitable(part, given)


def _mapping(part: str, given: Any) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise _unsuitable(part, given)
    return given


def _text(part: str, given: Any) -> str:
    if not isinstance(given, str):
        raise _unsuitable(part, given)
    return given


def _id(given: Any) -> int:
    if not isinstance(given, int) or isinstance(given, bool):
        raise _unsuitable("an id", given)
    return given


def _unsuitable(part: str, given: Any) -> DataError:
    written = repr(given)
    return DataError(
        f"tokenizer.json must be byte-level BPE; got {part} = {written[:60]}{'...' * (len(written) > 60)}."
        " Use a tokenizer like GPT-2's, or the tokenizers package for this one."
    )
