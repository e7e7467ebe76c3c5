"""Step 3: special tokens, which do not stand for text, such as the end of a document.

Text must not be encoded as a special token by accident, or the author of a text could end the document. So the name of
a special token is encoded as that token only if the caller allows it; otherwise it is an error.

    python -m backlight.text.tokenizers.plain.special
"""

import re

from backlight.core import VocabularyError
from backlight.text.tokenizers.plain.pieces import PiecesTokenizer


class SpecialTokenizer(PiecesTokenizer):
    """Byte-pair encoding with special tokens."""

    def __init__(self, pattern: str = "gpt4") -> None:
        super().__init__(pattern)
        self.special_tokens: dict[str, int] = {}

    def add_special(self, name: str) -> int:
        """Add a special token with the next free id. Call it after training."""
        self.special_tokens[name] = len(self.tokens)
        self.tokens.append(name.encode())
        return self.special_tokens[name]

    def encode(self, text: str, allowed_special: frozenset[str] = frozenset()) -> list[int]:
        """Return the tokens of a text.

        Raises:
            VocabularyError: the text contains the name of a special token that is not in `allowed_special`.
        """
        for name in self.special_tokens:
            if name in text and name not in allowed_special:
                raise VocabularyError(
                    f"a special token in a text must be allowed; got {name!r}. Allow it, or remove it."
                )
        if not allowed_special:
            return super().encode(text)
        # With a group in the pattern, re.split also returns the names, at every odd index.
        names = "|".join(re.escape(name) for name in sorted(allowed_special, key=len, reverse=True))
        ids: list[int] = []
        for i, part in enumerate(re.split(f"({names})", text)):
            ids += [self.special_tokens[part]] if i % 2 else super().encode(part)
        return ids


if __name__ == "__main__":
    tokenizer = SpecialTokenizer("gpt2")
    tokenizer.train("once upon a time there was a text, and once it was read, it was over", 256 + 10)
    end = tokenizer.add_special("<|endoftext|>")
    ids = tokenizer.encode("it was over<|endoftext|>once", allowed_special=frozenset({"<|endoftext|>"}))
    print([tokenizer.tokens[i] for i in ids])
    try:
        tokenizer.encode("typed by a user: <|endoftext|>")
    except VocabularyError as error:
        print(error)
