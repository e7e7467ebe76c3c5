"""What is read is what was written, or an error in one line."""

import json
import string
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors import numpy as safetensors
from safetensors import safe_open

from backlight.core import RunError
from backlight.runs import load_tensors, save_tensors
from backlight.runs.tensors import decode, encode

REMEDY = "Train again"
DTYPES = ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
DTYPES += ["float16", "float32", "float64"]

NAMES = st.text(string.printable + "äß字😀", min_size=1, max_size=12)
ARRAYS = st.sampled_from(DTYPES).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
)
FACTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def assert_same_arrays(given: dict[str, Any], found: dict[str, Any]) -> None:
    assert list(found) == sorted(given)
    for name, array in given.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()  # the bits: nan payloads and signed zeros too
        assert found[name].flags.writeable


@given(st.dictionaries(NAMES, ARRAYS, max_size=5), st.dictionaries(st.text(), FACTS, max_size=4))
def test_any_arrays_and_facts_come_back_bit_for_bit(arrays: dict[str, Any], facts: dict[str, Any]) -> None:
    data = encode(arrays, facts)
    found, found_facts = decode(data)
    assert_same_arrays(arrays, found)
    assert found_facts == facts
    assert encode(found, found_facts) == data


def test_layouts_in_memory_that_are_not_plain(tmp_path: Path) -> None:
    grid = np.arange(12.0).reshape(3, 4)
    arrays = {
        "T": grid.T,
        "strided": grid[:, ::2],
        "big": grid.astype(">f4"),
        "scalar": np.float64(2),
        "none": grid[:0],
    }
    save_tensors(tmp_path / "w", arrays, {})
    found, _ = load_tensors(tmp_path / "w", remedy=REMEDY)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array, strict=name != "big")
    assert found["big"].dtype == np.dtype("<f4")
    assert found["scalar"].shape == ()


def test_the_state_of_a_generator_goes_through_the_facts(tmp_path: Path, rng: np.random.Generator) -> None:
    rng.normal(size=3)
    save_tensors(tmp_path / "w", {}, {"random": rng.bit_generator.state, "step": np.int64(7), "loss": np.float32(0.1)})
    expected = rng.normal(size=5)
    _, facts = load_tensors(tmp_path / "w", remedy=REMEDY)
    again = np.random.default_rng()
    again.bit_generator.state = facts["random"]
    np.testing.assert_array_equal(again.normal(size=5), expected)
    assert facts["step"] == 7
    assert np.float32(facts["loss"]) == np.float32(0.1)


def test_same_content_same_bytes_in_any_order() -> None:
    one, two = np.arange(3), np.eye(2)
    assert encode({"a": one, "b": two}, {"x": 1}) == encode({"b": two, "a": one}, {"x": 1})


def test_any_reader_of_safetensors_can_read_it(tmp_path: Path) -> None:
    save_tensors(tmp_path / "w", {"weight": np.eye(2, dtype=np.float32)}, {"step": 3})
    np.testing.assert_array_equal(safetensors.load_file(tmp_path / "w")["weight"], np.eye(2))
    with safe_open(tmp_path / "w", framework="np") as file:
        digest, _, facts = file.metadata()["backlight"].partition(" ")
    assert len(digest) == 64
    assert json.loads(facts) == {"step": 3}


SMALL = encode(
    {"weight": np.arange(6, dtype=np.float32).reshape(2, 3), "seen": np.array([True])}, {"step": 12, "b": "x"}
)


def broken_or_the_same(path: Path, data: bytes) -> str | None:
    """Return the error's message, or None if the content came back as it was."""
    path.write_bytes(data)
    try:
        arrays, facts = load_tensors(path, remedy=REMEDY)
    except RunError as error:
        return str(error)
    expected, expected_facts = decode(SMALL)
    assert_same_arrays(expected, arrays)
    assert facts == expected_facts
    return None


def test_every_flipped_bit_is_found_or_harmless(tmp_path: Path) -> None:
    found = 0
    for position in range(len(SMALL)):
        for bit in range(8):
            data = bytearray(SMALL)
            data[position] ^= 1 << bit
            message = broken_or_the_same(tmp_path / "w", bytes(data))
            if message is not None:
                found += 1
                assert "\n" not in message
                assert message.startswith(f"{tmp_path / 'w'} is damaged: ")
                assert message.endswith(f"{REMEDY}.")
    assert found > 8 * len(SMALL) * 0.95


def test_every_inverted_byte_is_found_or_harmless(tmp_path: Path) -> None:
    for position in range(len(SMALL)):
        data = bytearray(SMALL)
        data[position] ^= 0xFF
        assert broken_or_the_same(tmp_path / "w", bytes(data)) is not None


def test_every_truncation_and_extension_is_found(tmp_path: Path) -> None:
    for length in range(len(SMALL)):
        assert broken_or_the_same(tmp_path / "w", SMALL[:length]) is not None
    for more in (b"\0", b" ", SMALL):
        assert broken_or_the_same(tmp_path / "w", SMALL + more) is not None


@given(st.binary(max_size=200))
def test_bytes_of_another_origin_are_refused(data: bytes) -> None:
    with pytest.raises(Exception, match="not a safetensors file"):
        decode(data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (safetensors.save({"weight": np.eye(2)}), "no checksum"),
        (safetensors.save({"weight": np.eye(2)}, metadata={"backlight": ""}), "does not match its checksum"),
        (encode({"weight": np.eye(2)}, {}).replace(b"weight", b"thgiew"), "does not match its checksum"),
        (encode({"w": np.eye(2)}, {"step": 10}).replace(b":10", b":11").replace(b": 10", b": 11"), "checksum"),
        (struct.pack("<Q", 62) + b'{"w":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}}       ' + b"\0\0", "BF16"),
    ],
)
def test_a_sound_file_with_other_content_is_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    (tmp_path / "w").write_bytes(data)
    with pytest.raises(RunError, match=reason):
        load_tensors(tmp_path / "w", remedy=REMEDY)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"cannot read .*gone: no such file or directory. Train again."):
        load_tensors(tmp_path / "gone", remedy=REMEDY)
    with pytest.raises(RunError, match="is a directory"):
        load_tensors(tmp_path, remedy=REMEDY)


@pytest.mark.parametrize("dtype", ["complex64", "complex128", "O", "U3", "longdouble", "datetime64[s]"])
def test_dtypes_that_are_not_numbers_of_64_bits_are_refused(tmp_path: Path, dtype: str) -> None:
    with pytest.raises(TypeError, match="'odd' has dtype"):
        save_tensors(tmp_path / "w", {"odd": np.zeros(2, dtype)}, {})
    assert not (tmp_path / "w").exists()
