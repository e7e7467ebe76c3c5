"""JSON that every reader accepts, and that comes back the same."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backlight.core import RunError
from backlight.runs.strict_json import plain, read_object, to_bytes, to_text

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def refuse_constant(name: str) -> None:
    pytest.fail(f"{name} is not JSON")


@given(VALUES, st.sampled_from([None, 2]))
def test_round_trip(value: Any, indent: int | None) -> None:
    assert json.loads(to_bytes(value, indent=indent), parse_constant=refuse_constant) == value


@given(st.lists(st.floats()))
def test_a_number_that_is_not_finite_is_null(numbers: list[float]) -> None:
    found = json.loads(to_text({"losses": numbers}), parse_constant=refuse_constant)["losses"]
    assert found == [number if np.isfinite(number) else None for number in numbers]


def test_numpy_s_scalars_and_tuples_become_plain() -> None:
    value = {
        "a": np.int64(3),
        "b": np.float32(0.5),
        "c": np.bool_(True),
        "d": (1, np.float64("nan")),
        "e": np.str_("x"),
    }
    found = plain(value)
    assert found == {"a": 3, "b": 0.5, "c": True, "d": [1, None], "e": "x"}
    assert [type(item) for item in found.values()] == [int, float, bool, list, str]


@pytest.mark.parametrize("value", [{1: "a"}, {"a": np.zeros(2)}, {"a": {1, 2}}, {"a": b"x"}, {"a": 1j}], ids=str)
def test_what_json_lacks_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        to_text(value)


def test_text_stays_readable_and_a_path_that_is_not_unicode_comes_back() -> None:
    assert "字😀é" in to_bytes({"corpus": "字😀é"}).decode()
    assert json.loads(to_bytes({"corpus": "caf\udce9.txt"})) == {"corpus": "caf\udce9.txt"}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not valid JSON"),
        (b'{"a": 1', "not valid JSON"),
        (b'{"a": "\xff"}', "not valid JSON"),
        (b"[1]", "found a list"),
        (b"null", "found a NoneType"),
        (b"[" * 100_000, "not valid JSON"),
    ],
    ids=lambda value: str(value)[:12],
)
def test_garbled_files_give_one_line(tmp_path: Path, data: bytes, reason: str) -> None:
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(RunError, match=reason) as error:
        read_object(tmp_path / "file", remedy="Train again")
    assert "\n" not in str(error.value)
    assert str(error.value).endswith("Train again.")
