"""JSON: objects or strings, one per line or in one array."""

import json
from collections.abc import Iterator
from dataclasses import replace
from difflib import get_close_matches
from itertools import chain, islice
from typing import Any, Final

from backlight.core import ConfigError, DataError
from backlight.text.items import Items
from backlight.text.reading import LINE_END
from backlight.text.records.columns import is_number, likely
from backlight.text.records.gathered import Gathered, counted
from backlight.text.records.reading import Reading

SAMPLED: Final = 100
"""The number of records from which the field is chosen."""

_MOST_SHOWN: Final = 8
_AS_LINES: Final = "To read lines as they are, --format lines."


def read_json(body: bytes, name: str, reading: Reading) -> tuple[Items, str, Reading]:
    """Return the strings, or one field of the objects, a description, and the settings with what was detected.

    A record without the field, or with null, is left out, and counted in the description.

    Args:
        body: the file in UTF-8.
        name: its name, for messages.
        reading: the settings; the format is "json", "jsonl", or None if a field was asked for.

    Raises:
        DataError: it is not JSON, or a value is not a string, or it is unclear which field is meant.
        ConfigError: no record has the field.
    """
    array = reading.format == "json" or (reading.format is None and body.lstrip()[:1] == b"[")
    records = _of_array(body, name) if array else _of_lines(body, name)
    sample = list(islice(records, SAMPLED))
    if not sample:
        raise DataError(f"a corpus needs at least one record; {name} has none. Use a file with some.")
    field = reading.field if reading.field is not None else _field(sample, name)
    found, without = Gathered(), 0
    for place, record in chain(sample, records):
        value = record if field is None else _value(record, field, name, place)
        if value is None:
            without += 1
        elif isinstance(value, str):
            found.add(value)
        else:
            what = "the record" if field is None else f"field {field!r}"
            raise DataError(
                f"an item must be a string; {what} of {name} is {_kind(value)} at {place}. Convert it, or choose"
                " another --field."
            )
    if field is not None and not len(found) and not found.blank:
        raise _no_field(sample, field, name)
    items = found.items(name, "string" if field is None else f"text in field {field!r}")
    text = f"{'JSON' if array else 'JSON lines'}, {'strings' if field is None else f'field {field!r}'}"
    left_out = counted(items, found.blank + without, blank_word="without text")
    return items, f"{text}, {left_out}", replace(reading, format="json" if array else "jsonl", field=field)


def _of_lines(body: bytes, name: str) -> Iterator[tuple[str, Any]]:
    begin = 0
    ends = chain((match.span() for match in LINE_END.finditer(body)), [(len(body), len(body))])
    for number, (end, after) in enumerate(ends, 1):
        line = body[begin:end].strip()
        begin = after
        if not line:
            continue
        try:
            yield f"line {number}", json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(
                f"each line of JSON lines must be a record; line {number} of {name} is not: {_reason(error)}. Correct"
                f" it. {_AS_LINES}"
            ) from None


def _of_array(body: bytes, name: str) -> Iterator[tuple[str, Any]]:
    try:
        whole = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{name} must be JSON; it is not: {_reason(error)}. Correct it. {_AS_LINES}") from None
    if not isinstance(whole, list):
        raise DataError(
            f"JSON must be an array of strings or objects; {name} has {_kind(whole)}. Write an array, or one record"
            " per line."
        )
    for number, record in enumerate(whole, 1):
        yield f"record {number}", record


def _field(sample: list[tuple[str, Any]], name: str) -> str | None:
    """Return the field that has the items; None if the records are strings."""
    if all(isinstance(record, str) for _, record in sample):
        return None
    fields = _fields(sample)
    texts = {key: [record[key] for _, record in sample if isinstance(record, dict) and key in record] for key in fields}
    candidates = [
        nth for nth, key in enumerate(fields)
        if any(isinstance(value, str) and not is_number(value.strip()) for value in texts[key])
    ]  # fmt: skip
    chosen = likely(fields, candidates)
    if chosen is None:
        raise DataError(
            f"a corpus needs one field of the JSON objects; {name} has {_listed(fields)}. Choose one: --field"
            f" {fields[candidates[0]] if candidates else 'NAME'}, in Python field=. {_AS_LINES}"
        )
    return fields[chosen]


def _value(record: Any, field: str, name: str, place: str) -> Any:
    if not isinstance(record, dict):
        raise DataError(
            f"each record must be an object with the field {field!r}; {place} of {name} is {_kind(record)}. Correct it."
        )
    if field in record:
        return record[field]
    value: Any = record
    for part in field.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _no_field(sample: list[tuple[str, Any]], field: str, name: str) -> ConfigError:
    fields = _fields(sample)
    near = get_close_matches(field, fields, n=1)
    return ConfigError(
        f"field must be a field of the records; {name} has {_listed(fields)}; got {field!r}."
        f" {f'Did you mean {near[0]!r}?' if near else 'Choose one of these.'}"
    )


def _fields(sample: list[tuple[str, Any]]) -> list[str]:
    return list(dict.fromkeys(key for _, record in sample if isinstance(record, dict) for key in record))


def _listed(fields: list[str]) -> str:
    return ", ".join(map(repr, fields[:_MOST_SHOWN])) + (", ..." if len(fields) > _MOST_SHOWN else "") or "no field"


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "an array", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:80]
