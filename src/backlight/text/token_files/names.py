"""The names of token files, by which a folder of them is recognised."""

import os
from pathlib import Path
from typing import Final

SUFFIXES: Final = (".bin", ".npy")
ABOUT: Final = "tokens.json"
"""What Backlight says of the token files that it wrote."""


def are_token_files(path: str | os.PathLike[str], *, told: str | None = None) -> bool:
    """Return whether a path is a token file, or a folder that has some for training: by the names, not the content.

    Args:
        path: the path.
        told: the format of text that a user has given, with which a file is a text whatever its name; None if none was.
    """
    place = Path(path)
    if os.path.isfile(place):  # noqa: PTH113  unlike Path.is_file, False for names that are too long or forbidden
        return told is None and place.suffix in SUFFIXES
    try:
        names = set(os.listdir(place))  # noqa: PTH208  names, not paths
    except (OSError, ValueError):
        return False
    return ABOUT in names or any(is_shard(name, "train") for name in names)


def is_shard(name: str, part: str) -> bool:
    """Return whether a file of this name has the ids of a part, "train" or "val"."""
    place = Path(name)
    return place.suffix in SUFFIXES and part in place.stem and not name.startswith(".")
