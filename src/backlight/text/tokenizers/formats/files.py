"""Reading and writing tokenizers, in the format that a path implies."""

import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from backlight.core import DataError
from backlight.text.downloads import Download, read_download
from backlight.text.tokenizers.formats import gpt2, hugging_face, tiktoken
from backlight.text.tokenizers.table import MergeTable

PAIRS: Final = (("vocab.json", "merges.txt"), ("encoder.json", "vocab.bpe"))
"""The names of GPT-2's two files."""

NAMES: Final = ("gpt2",)
"""The named tokenizers."""

_FROM: Final = "https://openaipublic.blob.core.windows.net/gpt-2/encodings/main"
DOWNLOADS: Final = {
    "GPT-2's vocabulary": Download(
        url=f"{_FROM}/encoder.json",
        sha256="196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783",
        file_names=("encoder.json", "gpt2/encoder.json"),
    ),
    "GPT-2's merges": Download(
        url=f"{_FROM}/vocab.bpe",
        sha256="1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5",
        file_names=("vocab.bpe", "gpt2/vocab.bpe"),
    ),
}


def load(path: str | Path, *, pattern: str | None, special_tokens: Mapping[str, int] | None) -> MergeTable:
    """Read a tokenizer.

    Args:
        path: see `BPETokenizer.load`.
        pattern: how text is split, for tiktoken's ranks only.
        special_tokens: the id of each special token, for tiktoken's ranks only.

    Raises:
        DataError: the file cannot be read, is damaged, or has a component that is not supported.
        VocabularyError: a token cannot be built from merges, or a byte is missing.
    """
    place = Path(path)
    if place.suffix != ".json" and place.is_file():
        content = _read(place)
        if pattern is None:
            raise DataError(
                f"a file of tiktoken's ranks has no splitting pattern; {str(place)!r} needs one. Give pattern 'gpt2' or"
                " 'gpt4'."
            )
        return tiktoken.read(content, pattern, special_tokens or {})
    if pattern is not None or special_tokens is not None:
        raise DataError(
            f"pattern and special_tokens are for tiktoken's ranks only; {str(path)!r} contains its own. Leave them out."
        )
    if str(path) in NAMES and not place.exists():
        vocabulary, merges = (read_download(name, DOWNLOADS) for name in DOWNLOADS)
        return gpt2.read(_json(vocabulary, place), _text(merges, place))
    return _load_json(_file_in(place))


def _load_json(place: Path) -> MergeTable:
    for vocabulary, merges in PAIRS:
        if place.name == vocabulary:
            beside = place.with_name(merges)
            return gpt2.read(_json(_read(place), place), _text(_read(beside), beside))
    return hugging_face.read(_json(_read(place), place))


def _file_in(place: Path) -> Path:
    """Return the file that describes a folder's tokenizer; a path that is not a folder is returned unchanged."""
    if not place.is_dir():
        return place
    names = ["tokenizer.json", *(vocabulary for vocabulary, _ in PAIRS)]
    for name in names:
        if (place / name).is_file():
            return place / name
    raise DataError(f"a tokenizer's folder must have {' or '.join(names)}; {str(place)!r} has none. Give the file.")


def save(table: MergeTable, path: str | Path) -> None:
    """Write a tokenizer in the format that the path implies; see `BPETokenizer.save`.

    Raises:
        DataError: it cannot be written, or the format cannot represent this tokenizer.
    """
    place = Path(path)
    if place.suffix == ".json":
        _write({place: json.dumps(hugging_face.write(table), ensure_ascii=False, indent=1).encode() + b"\n"})
    elif place.suffix == ".tiktoken":
        _write({place: tiktoken.write(table)})
    elif place.suffix:
        raise DataError(
            f"a tokenizer must be saved as NAME.json, NAME.tiktoken or a folder; got {str(place)!r}. Use one of these."
        )
    else:
        contents = [text.encode() for text in gpt2.write(table)]
        _write(dict(zip((place / name for name in PAIRS[0]), contents, strict=True)), folder=place)


def _write(files: Mapping[Path, bytes], *, folder: Path | None = None) -> None:
    """Write files under temporary names, then rename them. If writing fails, existing files are unchanged."""
    made: list[tuple[Path, Path]] = []
    try:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        for place, content in files.items():
            made.append((place.with_name(f".{place.name}.{secrets.token_hex(4)}"), place))
            made[-1][0].write_bytes(content)
        for written, place in made:
            written.replace(place)
    except OSError as error:
        for written, _ in made:
            with suppress(OSError):
                written.unlink()
        reason = error.strerror or str(error)
        where = os.fspath(next(iter(files)))
        raise DataError(
            f"a tokenizer needs a path that can be written; got {where!r}: {reason}. Use another."
        ) from None


def _read(place: Path) -> bytes:
    try:
        return place.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(
            f"a tokenizer must be a file, a folder or {', '.join(NAMES)}; got {str(place)[:200]!r}: {reason}."
            " Check the path."
        ) from None


def _json(content: bytes, place: Path) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place.name} must be JSON; it is not: {str(error)[:80]}. Is the file complete?") from None


def _text(content: bytes, place: Path) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise DataError(f"{place.name} must be UTF-8; byte {error.start} is not. Is the file complete?") from None
