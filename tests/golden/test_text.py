"""The lectures' own numbers on the lectures' own list."""

import hashlib
import random

from backlight.text import Vocabulary, Windows, load_corpus, split_corpus


def test_the_lectures_list_and_its_split(makemore_names, monkeypatch):
    monkeypatch.setenv("BACKLIGHT_DATA", str(makemore_names.parent))
    corpus = load_corpus("makemore-names")
    assert len(corpus.items) == 32_033
    assert corpus.items == makemore_names.read_text().splitlines()
    vocabulary = Vocabulary.of(corpus.items)
    assert vocabulary.size == 27
    splits = split_corpus(corpus, seed=42, duplicates="keep")
    parts = (splits.train, splits.dev, splits.test)
    # Lecture 3 prints the shapes of its training, dev and test windows.
    assert [len(Windows(vocabulary.encode_items(part.items), 3)) for part in parts] == [182_625, 22_655, 22_866]

    words = makemore_names.read_text().splitlines()
    random.Random(42).shuffle(words)
    first, second = int(0.8 * len(words)), int(0.9 * len(words))
    assert [part.items for part in parts] == [words[:first], words[first:second], words[second:]]


def test_tiny_shakespeare_from_the_folder(tinyshakespeare, monkeypatch):
    monkeypatch.setenv("BACKLIGHT_DATA", str(tinyshakespeare.parent))
    corpus = load_corpus("tinyshakespeare")
    assert (corpus.mode, corpus.sha256) == ("text", hashlib.sha256(tinyshakespeare.read_bytes()).hexdigest())
    assert Vocabulary.of(corpus.items).size == 66  # the 65 characters that lecture 7 prints, and the boundary
