"""Unicode forms of items, and what is said of them."""

import unicodedata

import pytest

from backlight.text import Items, Reading, load_corpus, spelling_notes

NFC, NFD = "caf\u00e9", "cafe\u0301"


@pytest.mark.parametrize(("form", "expected"), [("nfc", [NFC, NFC]), ("nfd", [NFD, NFD]), ("none", [NFC, NFD])])
def test_items_are_converted_wherever_they_come_from(tmp_path, form, expected):
    path = tmp_path / "a.txt"
    path.write_text(f"{NFC}\n{NFD}\n", encoding="utf-8")
    reading = Reading(normalise=form)
    assert list(load_corpus(path, reading=reading).items) == expected
    assert list(load_corpus([NFC, NFD], reading=reading).items) == expected
    assert load_corpus([NFC, f"x {NFD}"], mode="text", reading=reading).items[0] == f"{expected[0]}\nx {expected[1]}"


def test_two_spellings_are_said_and_one_is_not():
    (note,) = spelling_notes(Items.of([NFC, NFC, NFD]), "a.txt")
    assert "(NFC) in 2 items" in note
    assert "(NFD) in 1" in note
    assert "--normalise nfc" in note
    for items in (["cafe"], [NFC, "a"], [NFD, "a"]):
        assert spelling_notes(Items.of(items), "a.txt") == []


def test_the_letters_of_korean_are_offered_if_there_are_many_syllables():
    words = [chr(0xAC00 + 28 * nth) for nth in range(201)]
    (note,) = spelling_notes(Items.of(words), "a.txt")
    letters = {letter for word in words for letter in unicodedata.normalize("NFD", word)}
    assert f"201 different Korean syllables. To write them in their {len(letters)} letters" in note
    assert spelling_notes(Items.of(words[1:]), "a.txt") == []
