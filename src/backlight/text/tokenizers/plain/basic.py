"""Step 1: learn from a text which bytes to merge, then encode and decode.

A text is its bytes in UTF-8, so there are 256 initial tokens. Repeatedly, the most frequent pair of adjacent tokens
becomes a new token. Encoding applies the same merges in the same order.

    python -m backlight.text.tokenizers.plain.basic
"""

from collections import Counter
from itertools import pairwise

from backlight.core import ConfigError


def merge(ids: list[int], pair: tuple[int, int], token: int) -> list[int]:
    """Replace each occurrence of a pair by a token, from left to right.

    Of overlapping occurrences, the first one is replaced: the pair (7, 7) in [7, 7, 7] gives [token, 7].

    Args:
        ids: the tokens of a text.
        pair: the pair to replace.
        token: the id that replaces it.
    """
    left, right = pair
    merged, i = [], 0
    while i < len(ids):
        if ids[i] == left and i + 1 < len(ids) and ids[i + 1] == right:
            merged.append(token)
            i += 2
        else:
            merged.append(ids[i])
            i += 1
    return merged


class BasicTokenizer:
    """Byte-pair encoding on the bytes of a text."""

    def __init__(self) -> None:
        self.merges: dict[tuple[int, int], int] = {}  # pair -> token, in the order in which they were learnt
        self.tokens = [bytes([byte]) for byte in range(256)]  # token -> its bytes

    def train(self, text: str, vocabulary_size: int) -> None:
        """Learn `vocabulary_size - 256` merges.

        Raises:
            ConfigError: no pair is left before all merges are learnt.
        """
        ids = list(text.encode())
        for token in range(256, vocabulary_size):
            counts = Counter(pairwise(ids))
            if not counts:
                raise ConfigError(f"no pair is left after {token - 256} merges. Use a longer text, or fewer tokens.")
            # max returns the first of several pairs with the same count, and a Counter is in order of first occurrence:
            # of the most frequent pairs, the one that comes first in the text is merged.
            pair = max(counts, key=counts.__getitem__)
            ids = merge(ids, pair, token)
            self.add(pair, token)

    def add(self, pair: tuple[int, int], token: int) -> None:
        """Add the merge of `pair` to `token`."""
        self.merges[pair] = token
        self.tokens.append(self.tokens[pair[0]] + self.tokens[pair[1]])

    def encode_bytes(self, data: bytes) -> list[int]:
        """Return the tokens of some bytes."""
        ids = list(data)
        while len(ids) > 1:
            # Apply the merge that was learnt first, wherever it occurs: later merges are built from earlier ones.
            pair = min(set(pairwise(ids)), key=lambda pair: self.merges.get(pair, len(self.tokens)))
            if pair not in self.merges:
                break  # there is no merge of any of the pairs
            ids = merge(ids, pair, self.merges[pair])
        return ids

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a text."""
        return self.encode_bytes(text.encode())

    def decode(self, ids: list[int]) -> str:
        """Return the text of some tokens. They may end within a character; invalid UTF-8 becomes U+FFFD."""
        return b"".join(self.tokens[i] for i in ids).decode("utf-8", errors="replace")


if __name__ == "__main__":
    text = "she sells sea shells by the sea shore"
    tokenizer = BasicTokenizer()
    tokenizer.train(text, 256 + 8)
    for (left, right), token in tokenizer.merges.items():
        print(f"{token}: {tokenizer.tokens[left]!r} + {tokenizer.tokens[right]!r} = {tokenizer.tokens[token]!r}")
    ids = tokenizer.encode("sea shells 🐚")
    print(ids)
    print(tokenizer.decode(ids))
