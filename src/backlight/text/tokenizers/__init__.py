"""Byte-pair encoding, trained on text or read from the files of GPT-2, tiktoken and Hugging Face.

plain/ has the algorithm in a few pages of Python, step by step. The other modules give the same results, faster.
"""

from backlight.text.tokenizers.bpe import BPETokenizer
from backlight.text.tokenizers.choosing import vocabulary_from_json, vocabulary_of
from backlight.text.tokenizers.pattern import PatternVocabulary
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
    "PatternVocabulary",
    "Splitter",
    "TextSize",
    "TextVocabulary",
    "TokenVocabulary",
    "shown",
    "vocabulary_from_json",
    "vocabulary_of",
]
