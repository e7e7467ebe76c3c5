"""Step 2: split the text into pieces first, and merge within them, so that no token spans two words.

Otherwise, frequent phrases become tokens, and a word has different tokens before a comma and before a full stop. GPT-2
and GPT-4 split with a regular expression; a space belongs to the word after it.

    python -m backlight.text.tokenizers.plain.pieces
"""

from collections import Counter
from itertools import pairwise

from backlight.core import ConfigError
from backlight.text.tokenizers.plain.basic import BasicTokenizer, merge
from backlight.text.tokenizers.splitting import Splitter


class PiecesTokenizer(BasicTokenizer):
    """Byte-pair encoding within the pieces of a text.

    Args:
        pattern: 'gpt2', 'gpt4', or a regular expression whose matches are the pieces.
    """

    def __init__(self, pattern: str = "gpt4") -> None:
        super().__init__()
        self.splitter = Splitter(pattern)

    def train(self, text: str, vocabulary_size: int) -> None:
        """Learn `vocabulary_size - 256` merges.

        Raises:
            ConfigError: no pair is left before all merges are learnt.
        """
        pieces = [list(piece.encode()) for piece in self.splitter.split(text)]
        for token in range(256, vocabulary_size):
            counts: Counter[tuple[int, int]] = Counter()
            for ids in pieces:
                counts.update(pairwise(ids))  # the last token of a piece and the first of the next are not a pair
            if not counts:
                raise ConfigError(f"no pair is left after {token - 256} merges. Use a longer text, or fewer tokens.")
            pair = max(counts, key=counts.__getitem__)
            pieces = [merge(ids, pair, token) for ids in pieces]
            self.add(pair, token)

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a text, piece by piece."""
        return [token for piece in self.splitter.split(text) for token in self.encode_bytes(piece.encode())]


if __name__ == "__main__":
    text = "the cat, the cat. the cat! the cat? 12345 cats"
    for pattern in ("gpt2", "gpt4"):
        tokenizer = PiecesTokenizer(pattern)
        tokenizer.train(text, 256 + 5)
        print(f"{pattern} cuts {tokenizer.splitter.split(text)}")
        print(f"and learns {tokenizer.tokens[256:]}")
