"""The byte-pair encoding tokenizer."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from backlight.core import ConfigError, IntArray, VocabularyError
from backlight.text.tokenizers.encoding import Encoding
from backlight.text.tokenizers.formats import files, hugging_face
from backlight.text.tokenizers.splitting import Splitter, utf8
from backlight.text.tokenizers.table import LARGEST_ID, MergeTable
from backlight.text.tokenizers.training import BYTES, learn_merges
from backlight.text.tokenizers.visible import shown


@dataclass(frozen=True)
class BPETokenizer:
    """A byte-pair encoding tokenizer (Sennrich et al. 2016; on bytes: Radford et al. 2019).

    Every text can be encoded, and decoding restores it: a token is a sequence of bytes, and all 256 single bytes are
    tokens.

        tokenizer = BPETokenizer.train(texts, 1024)
        ids = tokenizer.encode("Hello, world")
        tokenizer.decode(ids)

    Attributes:
        table: tokens, merges, splitting pattern and special tokens.
    """

    table: MergeTable

    @classmethod
    def train(
        cls,
        texts: str | Iterable[str],
        vocabulary_size: int,
        *,
        pattern: str | None = "gpt2",
        special_tokens: Sequence[str] = (),
    ) -> "BPETokenizer":
        """Train a tokenizer on text.

        Args:
            texts: one text or many; no token spans two texts.
            vocabulary_size: number of tokens: 256 bytes, merges, and special tokens.
            pattern: how texts are split into pieces before merging: 'gpt2', 'gpt4', a regular expression, or None to
                merge across the whole text, as in the first step of minbpe.
            special_tokens: names of tokens that do not stand for text, such as `<|endoftext|>`; they get the last ids.

        Raises:
            ConfigError: the size is below 256 plus the special tokens, or larger than the text provides.
            VocabularyError: a text contains a lone surrogate.
        """
        least = BYTES + len(set(special_tokens))
        if not isinstance(vocabulary_size, int | np.integer) or not least <= vocabulary_size <= LARGEST_ID + 1:
            raise ConfigError(
                f"vocabulary_size must be a whole number from {least} (256 bytes and {least - BYTES} special tokens) to"
                f" {LARGEST_ID + 1}; got {vocabulary_size!r}. Try 1024."
            )
        wanted = int(vocabulary_size) - least
        given = [texts] if isinstance(texts, str) else texts
        merges = learn_merges(given, wanted, Splitter(pattern))
        if len(merges) < wanted:
            raise ConfigError(
                f"each new token needs a merge; this text gave {len(merges):,} merges before no pair was left, but"
                f" vocabulary_size={vocabulary_size} needs {wanted:,}. Use vocabulary_size={least + len(merges)} or"
                " less, or more text."
            )
        return cls(MergeTable.of(merges, pattern, list(dict.fromkeys(special_tokens))))

    @classmethod
    def load(
        cls, path: str | Path, *, pattern: str | None = None, special_tokens: Mapping[str, int] | None = None
    ) -> "BPETokenizer":
        """Read a tokenizer that this package or another one wrote.

        Args:
            path: a Hugging Face `tokenizer.json`; a folder with one, or with GPT-2's `vocab.json` and `merges.txt`
                (also called `encoder.json` and `vocab.bpe`); a file of tiktoken's ranks; or the name `gpt2`, which is
                downloaded on first use.
            pattern: how text is split; for tiktoken's ranks only, which do not contain it.
            special_tokens: the id of each special token; for tiktoken's ranks only.

        Raises:
            DataError: the file cannot be read, is damaged, or has a component that is not supported.
            VocabularyError: a token cannot be built from merges, or a byte is missing.
        """
        return cls(files.load(path, pattern=pattern, special_tokens=special_tokens))

    def save(self, path: str | Path) -> None:
        """Write the tokenizer to a file or folder. If that fails, existing files are unchanged.

        Args:
            path: with the suffix `.json`, a Hugging Face `tokenizer.json` is written, with `.tiktoken` a file of
                tiktoken's ranks, and without a suffix a folder with GPT-2's `vocab.json` and `merges.txt`.

        Raises:
            DataError: it cannot be written, or the format cannot represent this tokenizer.
        """
        files.save(self.table, path)

    def to_json(self) -> dict[str, Any]:
        """Return the content of a Hugging Face `tokenizer.json` as plain values."""
        return hugging_face.write(self.table)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "BPETokenizer":
        """Return the tokenizer that the content of a `tokenizer.json` describes.

        Raises:
            DataError: it has a component that is not supported.
            VocabularyError: a token cannot be built from merges, or a byte is missing.
        """
        return cls(hugging_face.read(values))

    # -- tokens -----------------------------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """V, the largest id plus one."""
        return len(self.table.tokens)

    @property
    def special_tokens(self) -> Mapping[str, int]:
        """The id of each special token."""
        return self.table.special_tokens

    def token(self, id: int) -> bytes:  # noqa: A002  the field's word
        """Return the bytes of a token.

        Raises:
            VocabularyError: there is no token with this id.
        """
        return self.decode_bytes([id])

    def label(self, token: int) -> str:
        r"""Return a visible label of an id: a space as U+2423, a line feed as an arrow, an incomplete byte as `\xe2`.

        Raises:
            VocabularyError: there is no token with this id.
        """
        return shown(self.token(token))

    # -- text to ids ------------------------------------------------------------------------------------------------

    def encode(
        self,
        text: str,
        *,
        allowed_special: Collection[str] | Literal["all"] = (),
        disallowed_special: Collection[str] | Literal["all"] = "all",
    ) -> IntArray:
        """Return the ids of a text.

        Special tokens are handled as in tiktoken: their names in a text raise an error unless they are allowed.

        Args:
            text: any text.
            allowed_special: names of special tokens that are encoded as their id, or 'all'.
            disallowed_special: names that raise an error; 'all' stands for all that are not allowed. With (), a name is
                encoded as ordinary text.

        Returns:
            (tokens,) int64.

        Raises:
            VocabularyError: the text contains a disallowed special token, or a lone surrogate.
        """
        allowed = self._names(allowed_special)
        refused = self._names(disallowed_special) - (allowed if disallowed_special == "all" else set())
        for name in sorted(refused, key=text.find):
            if name in text:
                raise VocabularyError(
                    f"a special token in a text must be allowed; got {name!r} at character {text.index(name) + 1}. Pass"
                    f" allowed_special={{{name!r}}} for the token, disallowed_special=() for its characters, or remove"
                    " it."
                )
        present = [name for name in allowed if name in text]
        if not present:
            return self.encode_ordinary(text)
        longest_first = sorted(present, key=len, reverse=True)
        parts = re.split(f"({'|'.join(map(re.escape, longest_first))})", text)
        special = self.special_tokens
        return np.concatenate(
            [np.array([special[p]]) if i % 2 else self.encode_ordinary(p) for i, p in enumerate(parts)]
        )

    def encode_ordinary(self, text: str) -> IntArray:
        """Return the ids of a text without special tokens. Shape: (tokens,) int64.

        Raises:
            VocabularyError: the text contains a lone surrogate.
        """
        return self.encoding.encode([utf8(text)])[0].astype(np.int64)

    def encode_batch(self, texts: Sequence[str]) -> list[IntArray]:
        """Return the ids of each text, without special tokens. Shapes: (tokens,) int64 each.

        Raises:
            VocabularyError: a text contains a lone surrogate.
        """
        ids, ends = self.encoding.encode([utf8(text) for text in texts])
        return np.split(ids.astype(np.int64), ends[:-1]) if len(texts) else []

    @cached_property
    def encoding(self) -> Encoding:
        """The encoder of bytes to ids."""
        return Encoding(self.table)

    def _names(self, given: Collection[str] | Literal["all"]) -> set[str]:
        if given == "all":
            return set(self.special_tokens)
        names = {given} if isinstance(given, str) else set(given)
        unknown = sorted(names - set(self.special_tokens))
        if unknown:
            known = ", ".join(map(repr, self.special_tokens)) or "none"
            raise VocabularyError(
                f"the special tokens of this tokenizer are: {known}; got {unknown[0]!r}. Use one of these."
            )
        return names

    # -- ids to text ------------------------------------------------------------------------------------------------

    def decode(self, ids: Iterable[int] | IntArray) -> str:
        """Return the text of the ids. Invalid UTF-8 becomes U+FFFD, the replacement character.

        Args:
            ids: (N,) ids of tokens. A special token becomes its name.

        Raises:
            VocabularyError: ids are not whole numbers, or there is no token with an id.
        """
        return self.decode_bytes(ids).decode("utf-8", "replace")

    def decode_bytes(self, ids: Iterable[int] | IntArray) -> bytes:
        """Return the exact bytes of the ids, (N,).

        Raises:
            VocabularyError: ids are not whole numbers, or there is no token with an id.
        """
        given = np.asarray(ids if isinstance(ids, np.ndarray) else list(ids))
        if not given.size:
            return b""
        if given.dtype.kind not in "iu":
            raise VocabularyError(f"ids must be whole numbers; got {given.dtype}. Convert them with .astype(int).")
        if given.min() < 0 or given.max() >= self.size:
            wrong = given.min() if given.min() < 0 else given.max()
            raise VocabularyError(
                f"ids must be in 0..{self.size - 1}; got {wrong}. Do the ids come from another tokenizer?"
            )
        tokens = self.table.tokens
        try:
            return b"".join([tokens[i] for i in given.ravel().tolist()])
        except TypeError:
            wrong = next(i for i in given.ravel().tolist() if tokens[i] is None)
            raise VocabularyError(
                f"every id must have a token; got {wrong}, which has none. Do the ids come from another tokenizer?"
            ) from None

    def __getstate__(self) -> dict[str, Any]:
        return {"table": self.table}  # without the encoding, which holds pointers and is built again
