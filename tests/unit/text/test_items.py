"""Items are a list of strings that does not hold strings."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from backlight.core import DataError
from backlight.text import Items, load_corpus
from backlight.text.reading import checked, lines_of, stream_of
from backlight.text.storage import new_array

texts = st.lists(st.text("ab é日👩\ud800", max_size=6), max_size=12)
blocks = st.sampled_from([1, 2, 3, 7, 1 << 20])


def characters(blocks):
    return [chr(code) for block in blocks for code in block.tolist()]


@given(texts, blocks, st.data())
def test_items_are_the_list(strings, size, data):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("backlight.text.items.BLOCK", size)
        items = Items.of(strings)
        assert items == strings
        assert strings == items
        assert items == Items.of(items)
        assert list(items) == strings
        assert len(items) == len(strings)
        assert [items[place] for place in range(-len(items), len(items))] == strings * 2
        assert items.lengths().tolist() == list(map(len, strings))
        assert characters(items.codes()) == list("".join(strings))
        start, stop = (data.draw(st.integers(-14, 14)) for _ in range(2))
        step = data.draw(st.sampled_from([-1, 1, 3]))
        assert items[start:stop:step] == strings[start:stop:step]
        if strings:
            rows = data.draw(st.lists(st.integers(0, len(strings) - 1)))
            taken = items.take(np.array(rows, np.int64))
            assert taken == [strings[row] for row in rows]
            assert taken.lengths().tolist() == [len(strings[row]) for row in rows]
            assert characters(taken.codes()) == list("".join(strings[row] for row in rows))


def test_items_differ_from_what_is_no_such_list():
    items = Items.of(["ab", "c"])
    for other in (["ab"], ["ab", "d"], ["ab", "c", ""], "abc", 3, {"ab", "c"}):
        assert items != other
    with pytest.raises(IndexError):
        items[2]
    with pytest.raises(TypeError, match="unhashable"):
        hash(items)
    assert repr(items) == "Items(['ab', 'c'], of 2)"
    assert repr(Items.of("abcd")) == "Items(['a', 'b', 'c', ...], of 4)"


@given(st.lists(st.sampled_from(["", "a", "b", "ab", "é"]), max_size=12), st.sampled_from([hash, len, lambda _: 0]))
def test_kinds_number_texts_as_they_first_come(strings, hashed):
    numbers: dict[str, int] = {}
    expected = [numbers.setdefault(one, len(numbers)) for one in strings]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("backlight.text.items.hash", hashed, raising=False)
        assert Items.of(strings).kinds().tolist() == expected


@given(st.text("ab é日👩", max_size=30), st.lists(st.integers(0, 30), max_size=3), blocks)
def test_one_text_is_split_at_characters(text, places, size):
    places = sorted(min(place, len(text)) for place in places)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("backlight.text.items.BLOCK", size)
        parts = Items.of([text]).split_one(places)
    bounds = [0, *places, len(text)]
    assert [part[0] for part in parts] == [text[a:b] for a, b in pairwise(bounds)]


spaces = [character for character in map(chr, range(0x3100)) if character.isspace()]
pieces = [*spaces, "\r", "\n", "\n", "\r\n", "a", "b", "é", "日", "。", "\u0080", "\u2010", "👩"]
lines = st.lists(st.sampled_from(pieces)).map("".join)


@given(lines, st.sampled_from([1, 4, 9, 1 << 24]))
def test_lines_are_stripped_as_strings_are(text, size):
    expected = [line for raw in text.replace("\r\n", "\n").replace("\r", "\n").split("\n") if (line := raw.strip())]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("backlight.text.reading.BLOCK", size)
        if not text:
            return  # refused before
        if expected:
            assert lines_of(text.encode(), "it") == expected
            assert stream_of(text.encode(), "it") == [text.replace("\r\n", "\n").replace("\r", "\n")]
        else:
            with pytest.raises(DataError, match="only blank lines"):
                lines_of(text.encode(), "it")


def test_any_white_space_around_a_line_is_dropped():
    for space in map(chr, range(0x110000)):
        if space.isspace() and space not in "\r\n":
            assert lines_of(f"x\n{space}a{space}b{space}{space}\n{space}".encode(), "it") == ["x", f"a{space}b"]


@given(
    st.lists(st.sampled_from([b"a", b"\n", "é".encode(), "日".encode(), "👩".encode(), b"\xe6", b"\x80", b"\xf0\x9f"]))
)
def test_the_place_of_a_wrong_byte_is_that_of_the_decoder(parts):
    body = b"".join(parts)
    try:
        body.decode()
        place = None
    except UnicodeDecodeError as error:
        place = error.start
    for size in (1, 2, 3, 5, 100):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("backlight.text.reading.BLOCK", size)
            if not body:
                continue
            if place is None:
                assert checked(body, "it") == body
            else:
                with pytest.raises(DataError, match=f"0x{body[place]:02x} at byte {place} "):
                    checked(body, "it")


def test_long_arrays_lie_in_a_file(monkeypatch):
    monkeypatch.setattr("backlight.text.storage.IN_MEMORY", 100)
    monkeypatch.setattr("backlight.text.storage._BLOCK", bytes(64))
    for size, dtype in [(100, np.uint8), (101, np.uint8), (1000, np.uint16)]:
        array = new_array(size, dtype)
        assert (array.dtype, len(array), array.any()) == (dtype, size, False)
        array[:] = np.arange(size)
        assert_array_equal(array, np.arange(size).astype(dtype))
        assert type(array) is np.ndarray


def test_no_room_for_a_file_is_said_in_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr("backlight.text.storage.IN_MEMORY", 100)
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path / "not there"))
    with pytest.raises(DataError, match=r"needs 0\.0 GB in a temporary file; .* Set TMPDIR") as error:
        new_array(101, np.uint8)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("size", [1, 2, 5, 1 << 20])
def test_a_file_gives_the_same_items_in_any_blocks(tmp_path, monkeypatch, size):
    monkeypatch.setattr("backlight.text.items.BLOCK", size)
    monkeypatch.setattr("backlight.text.reading.BLOCK", size)
    path = tmp_path / "lines.txt"
    path.write_text("ana\n bob \r\n\r\n日本\rana\n")
    assert load_corpus(str(path)).items == ["ana", "bob", "日本", "ana"]
