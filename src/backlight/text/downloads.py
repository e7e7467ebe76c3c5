"""Files that are downloaded on first use and cached, or read from a folder of the user; checksums are verified."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from backlight.core import DataError
from backlight.text.reading import read_file

FOLDER_VARIABLE = "BACKLIGHT_DATA"
"""The environment variable with a folder of the files, for machines without a network."""


@dataclass(frozen=True, slots=True)
class Download:
    """The location and checksum of a file.

    Attributes:
        url: the public address.
        sha256: checksum of the file at that address.
        also_sha256: checksums of copies that differ only in the final line end.
        file_names: names that the file may have in the user's folder.
    """

    url: str
    sha256: str
    file_names: tuple[str, ...]
    also_sha256: tuple[str, ...] = ()


DOWNLOADS = {
    "makemore-names": Download(
        url="https://raw.githubusercontent.com/karpathy/makemore/master/names.txt",
        sha256="0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d",
        file_names=("makemore_names.txt", "names.txt"),
    ),
    "tinyshakespeare": Download(
        url="https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
        sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
        also_sha256=("53493bf304b639aba6a47400da75c58ce32372b378fd2cd9d16ee987aeb12e4e",),
        file_names=("tinyshakespeare.txt", "input.txt"),
    ),
}


def read_download(name: str, known: Mapping[str, Download] = DOWNLOADS) -> bytes:
    """Return a known file from the folder in BACKLIGHT_DATA, or download it if it is not there.

    Raises:
        DataError: the folder does not exist, a file has the wrong checksum, or the download failed.
    """
    download = known[name]
    folder = os.environ.get(FOLDER_VARIABLE)
    if not folder:
        return _fetch(name, download)
    if not Path(folder).is_dir():
        raise DataError(f"{FOLDER_VARIABLE} must name a folder; got {folder!r}. Correct it or unset it.")
    for file_name in download.file_names:
        path = Path(folder) / file_name
        if path.exists():
            return _verified(path, name, download)
    return _fetch(name, download)


def _verified(path: Path, name: str, download: Download) -> bytes:
    content = read_file(str(path))
    given = hashlib.sha256(content).hexdigest()
    if given not in {download.sha256, *download.also_sha256}:
        raise DataError(
            f"{name} must have sha256 {download.sha256}; {str(path)!r} has {given}."
            f" Fetch it again from {download.url}, or name your own file by its path."
        )
    return content


def _fetch(name: str, download: Download) -> bytes:
    import pooch  # takes 0.1 s, so only imported for a download

    try:
        kept = pooch.retrieve(
            download.url,
            known_hash=f"sha256:{download.sha256}",
            fname=download.file_names[0],
            path=pooch.os_cache("backlight"),
        )
    except (OSError, ValueError) as error:  # no network, no space, or a wrong checksum
        reason = type(error).__name__
        raise DataError(
            f"{name} is downloaded on first use; fetching {download.url} failed ({reason})."
            f" Put the file into a folder as {download.file_names[0]} and set {FOLDER_VARIABLE} to that folder."
        ) from error
    return _verified(Path(kept), name, download)
