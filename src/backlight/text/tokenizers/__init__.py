"""Text as tokens: byte-pair encoding, learnt from text or read from the files of GPT-2, tiktoken and Hugging Face.

plain/ has the algorithm as a page of Python, step by step; everything else here is the same, fast and for every file.
"""

from backlight.text.tokenizers.bpe import BPETokenizer
from backlight.text.tokenizers.protocol import TextVocabulary
from backlight.text.tokenizers.splitting import GPT2, GPT4, PATTERNS, Splitter
from backlight.text.tokenizers.table import MergeTable
from backlight.text.tokenizers.units import TextSize
from backlight.text.tokenizers.visible import shown
from backlight.text.tokenizers.vocabulary import TokenVocabulary

__all__ = [
    "GPT2",
    "GPT4",
    "PATTERNS",
    "BPETokenizer",
    "MergeTable",
    "Splitter",
    "TextSize",
    "TextVocabulary",
    "TokenVocabulary",
    "shown",
]
