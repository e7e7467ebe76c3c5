"""Items that are found one after another, gathered in one block of UTF-8."""

from array import array

import numpy as np

from backlight.core import DataError
from backlight.text.items import Items


class Gathered:
    """Gathers items. Each is stripped of white space around it, and blank ones are counted and left out.

    Memory: the text, and 8 bytes per item.

    Attributes:
        blank: number of blank items so far.
    """

    def __init__(self) -> None:
        self.blank = 0
        self._data = bytearray()
        self._ends = array("q")

    def __len__(self) -> int:
        return len(self._ends)

    def add(self, text: str) -> None:
        """Add an item."""
        text = text.strip()
        if not text:
            self.blank += 1
            return
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        self._data += text.encode("utf-8", "surrogatepass")
        self._ends.append(len(self._data))

    def items(self, name: str, what: str) -> Items:
        """Return the items.

        Args:
            name: the name of the file, for the error.
            what: what the items are, for the error, as in "a value in column 'name'".

        Raises:
            DataError: there is no item.
        """
        if not self._ends:
            blank = f" but {self.blank:,} blank ones" if self.blank else ""
            raise DataError(f"a corpus needs at least one item; {name} has no {what}{blank}. Choose another.")
        ends = np.frombuffer(self._ends, np.int64)
        return Items(bytes(self._data), np.concatenate([np.zeros(1, np.int64), ends[:-1]]), ends)


def counted(items: Items, blank: int = 0, *, blank_word: str = "blank") -> str:
    """Return the number of items, and of those that were left out, in words."""
    left_out = f" ({blank:,} {blank_word} left out)" if blank else ""
    return f"{len(items):,} item{'s' * (len(items) != 1)}{left_out}"
