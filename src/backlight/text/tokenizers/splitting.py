r"""Splitting texts into pieces before merging, so that no token spans two words: the patterns of GPT-2 and GPT-4.

A pattern is a regular expression whose matches are the pieces. These two are also implemented in C
(native/splitting.h); for others, Python's `re` is used.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from backlight.core import ConfigError, DataError, VocabularyError
from backlight.text.items import Items
from backlight.text.tokenizers import native
from backlight.text.tokenizers.unicode import compiled

GPT2: Final = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
GPT4: Final = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
PATTERNS: Final = {"gpt2": GPT2, "gpt4": GPT4}
"""The named patterns. GPT-2's keeps a space with the word after it. GPT-4's does so with any one character that is no
letter, digit or line end, splits numbers after three digits, and keeps line ends together."""

_DIGITS: Final = {"{1,3}": 3, "{1,2}": 2, "": 1}
"""The quantifier of `\\p{N}` in the patterns of GPT-4, nanochat and Qwen, and the number of digits that it allows."""

_TAIL: Final = GPT4.replace(r"|\s*[\r\n]+", r"|\s+\z|\s*[\r\n]+")
_MINBPE: Final = (  # and rustbpe, nanochat, tiktoken 0.7
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
)
SPELLINGS: Final = {
    # OpenAI's encoder.py; tiktoken 0.14
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+": GPT2,
    r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s": GPT2,
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]"
    r"|\s+(?!\S)|\s": _TAIL,
    **{_MINBPE.replace("{1,3}", digits): GPT4.replace("{1,3}", digits) for digits in _DIGITS},
}
"""Other spellings of the same patterns, which are replaced by the common spelling: Hugging Face's engine interprets
`{1,3}+` as any number of digits, and a final `$` as the end of any line."""

_RULES: Final[dict[str | None, tuple[int, int, bool]]] = {
    None: (native.WHOLE, 0, False),
    GPT2: (native.GPT2, 0, False),
    **{GPT4.replace("{1,3}", digits): (native.GPT4, count, False) for digits, count in _DIGITS.items()},
    _TAIL: (native.GPT4, 3, True),
}


@dataclass(frozen=True)
class Splitter:
    r"""Splits texts into pieces.

    Args:
        pattern: a name in `PATTERNS`, a regular expression, which may use `\p{L}` and `\p{N}`, or None, with which each
            text is one piece.

    Raises:
        ConfigError: an unknown name, or a regular expression that cannot be used.
    """

    pattern: str | None

    def __post_init__(self) -> None:
        if self.pattern is not None:
            if self.pattern.isalnum() and self.pattern not in PATTERNS:
                raise ConfigError(
                    f"pattern must be {', '.join(map(repr, PATTERNS))}, a regular expression or None; got"
                    f" {self.pattern!r}, which would hardly split any text. Is it misspelt?"
                )
            known = PATTERNS.get(self.pattern, self.pattern)
            object.__setattr__(self, "pattern", SPELLINGS.get(known, known))
            if self.pattern not in _RULES:
                compiled(self.pattern)  # raises ConfigError if it cannot be used

    @property
    def rule(self) -> native.SplitRule | None:
        """The pattern for the C kernels; None if they do not implement it."""
        return native.SplitRule.of(*_RULES[self.pattern]) if self.pattern in _RULES else None

    def split(self, text: str) -> list[str]:
        """Return the pieces of a text, in order. Text between matches is a piece too, so joined, they are the text.

        Raises:
            DataError: `text` is not a string.
            VocabularyError: it contains a lone surrogate, which has no UTF-8.
        """
        _check_is_text(text)
        if self.pattern is None or not text:
            return [text] if text else []
        rule = self.rule if native.available() else None
        if rule is not None:
            return native.split(rule, utf8(text))
        return self._split_by_re(text)

    def _split_by_re(self, text: str) -> list[str]:
        assert self.pattern is not None  # noqa: S101  (split has checked it)
        pieces, done = [], 0
        for match in compiled(self.pattern).finditer(text):
            start, end = match.span()
            if start > done:
                pieces.append(text[done:start])
            if end > start:
                pieces.append(text[start:end])
            done = end
        return pieces if done == len(text) else [*pieces, text[done:]]


def utf8(text: str) -> bytes:
    """Return the UTF-8 of a text.

    Raises:
        DataError: `text` is not a string.
        VocabularyError: it contains a lone surrogate, which has no UTF-8.
    """
    _check_is_text(text)
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        code = ord(text[error.start])
        raise VocabularyError(
            f"a text must be valid Unicode; got a lone surrogate (U+{code:04X}) at character"
            f" {error.start + 1}. Decode the text as UTF-8."
        ) from None


def _check_is_text(text: object) -> None:
    if not isinstance(text, str):
        raise DataError(f"a text must be a string; got {type(text).__name__}. If it is bytes, decode it.")


def utf8_of(texts: Iterable[str]) -> Iterator[bytes]:
    """Yield the UTF-8 of each text; `Items` are not decoded to strings first.

    Raises:
        VocabularyError: a text contains a lone surrogate, which has no UTF-8.
    """
    if not isinstance(texts, Items):
        yield from map(utf8, texts)
        return
    for raw in texts.raw():
        if b"\xed" in raw:  # the first byte of a surrogate, and of some valid characters
            utf8(raw.decode("utf-8", "surrogatepass"))
        yield raw
