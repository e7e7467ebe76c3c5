"""From a text to minibatches: corpora, vocabularies, splits, windows and sequences."""

from backlight.text.batches import Dataset, Sequences, Windows, targets_per_character
from backlight.text.corpora import CORPORA, LIST, Corpus, CorpusInfo, Mode, Source, load_corpus
from backlight.text.describe import CorpusDescription, describe
from backlight.text.items import Items
from backlight.text.normalising import normalised, spelling_notes
from backlight.text.novelty import in_training_set, training_hashes
from backlight.text.records import Reading
from backlight.text.split import Duplicates, Part, Splits, split_corpus
from backlight.text.vocabulary import Vocabulary

__all__ = [
    "CORPORA",
    "LIST",
    "Corpus",
    "CorpusDescription",
    "CorpusInfo",
    "Dataset",
    "Duplicates",
    "Items",
    "Mode",
    "Part",
    "Reading",
    "Sequences",
    "Source",
    "Splits",
    "Vocabulary",
    "Windows",
    "describe",
    "in_training_set",
    "load_corpus",
    "normalised",
    "spelling_notes",
    "split_corpus",
    "targets_per_character",
    "training_hashes",
]
