"""Checks that samples have to pass: words to avoid, a distance from the training items, and the user's own."""

import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from backlight.core import ConfigError
from backlight.text.labels import split

MOST_DISTANCE = 2


class SampleCheck(Protocol):
    """A check of samples."""

    @property
    def reason(self) -> str:
        """Why a sample does not pass, as in "12 contain a word to avoid"."""

    def passes(self, texts: Sequence[str]) -> list[bool]:
        """Return for each text whether it passes."""


@dataclass(frozen=True)
class WithoutLabels:
    """A check of the texts without their labels.

    Args:
        check: the check.
        labels: the labels of the model; see `backlight.text.labels`.
    """

    check: SampleCheck
    labels: Sequence[str]

    @property
    def reason(self) -> str:
        """Why a sample does not pass."""
        return self.check.reason

    def passes(self, texts: Sequence[str]) -> list[bool]:
        """Return for each text whether it passes."""
        return self.check.passes([split(text, self.labels)[1] for text in texts])


@dataclass(frozen=True)
class Avoids:
    """No text contains one of these words, in upper or lower case.

    Args:
        words: the words; white space around them does not count, and empty ones are left out.

    Raises:
        ConfigError: there is no word.
    """

    words: tuple[str, ...]
    reason: str = "contain a word to avoid"

    @classmethod
    def of(cls, words: Iterable[str]) -> "Avoids":
        """Return the check for these words."""
        found = tuple(dict.fromkeys(word.strip().casefold() for word in words if word.strip()))
        if not found:
            raise ConfigError("avoid needs at least one word; got none. Give one word per line, or leave it out.")
        return cls(found)

    def passes(self, texts: Sequence[str]) -> list[bool]:
        """Return for each text whether it has none of the words."""
        folded = [text.casefold() for text in texts]
        return [not any(word in text for word in self.words) for text in folded]


class Distant:
    """Every text differs from every training item by at least this many inserted, deleted or replaced characters.

    The texts at a distance of 1 from a sample are few, so each of them is looked up.

    Args:
        items: the training items.
        distance: 1 or 2.

    Raises:
        ConfigError: another distance.
    """

    reason = "are too near to a training item"

    def __init__(self, items: Iterable[str], distance: int) -> None:
        if distance not in range(1, MOST_DISTANCE + 1):
            raise ConfigError(f"min_distance must be 1 or {MOST_DISTANCE}; got {distance}. Leave it out for any.")
        self._near = distance - 1
        self._known = set(items)
        self._characters = sorted(set().union(*self._known)) if self._near else []

    def passes(self, texts: Sequence[str]) -> list[bool]:
        """Return for each text whether no training item is too near."""
        return [not self._is_near(text) for text in texts]

    def _is_near(self, text: str) -> bool:
        if text in self._known:
            return True
        if not self._near:
            return False
        known, characters = self._known, self._characters
        for i in range(len(text) + 1):
            before, after, beyond = text[:i], text[i:], text[i + 1 :]
            if i < len(text) and before + beyond in known:
                return True
            for c in characters:
                if before + c + after in known or (i < len(text) and before + c + beyond in known):
                    return True
        return False


@dataclass(frozen=True)
class Valid:
    """Every text passes a function of the user's.

    Args:
        function: called with a text; a true result accepts it.
    """

    function: Callable[[str], object]
    reason: str = "are not valid"

    def passes(self, texts: Sequence[str]) -> list[bool]:
        """Return for each text whether the function accepts it."""
        return [bool(self.function(text)) for text in texts]


@dataclass(frozen=True)
class ValidByCommand:
    """Every text is printed again by a command that filters lines, as `grep` does.

    The command runs once for many texts. It reads them on standard input, one per line, and prints the valid ones. An
    exit status of 0 or 1 is success.

    Args:
        command: a command of the shell.
    """

    command: str
    reason: str = "are not valid"

    def passes(self, texts: Sequence[str]) -> list[bool]:
        """Return for each text whether the command prints it.

        Raises:
            ConfigError: the command fails, or prints something else than what it read.
        """
        given = "".join(text + "\n" for text in texts)
        done = subprocess.run(  # noqa: S602  (it is the user's own command)
            self.command, shell=True, input=given, capture_output=True, encoding="utf-8", errors="replace", check=False
        )
        if done.returncode not in {0, 1}:
            said = done.stderr.strip().rpartition("\n")[2]
            raise ConfigError(
                f"the command that checks samples must succeed; {self.command!r} exits with {done.returncode}"
                f"{f': {said}' if said else ''}. Try it alone: it reads items on standard input and prints the valid "
                "ones."
            )
        printed = set(done.stdout.split("\n")) - {""}
        other = printed.difference(texts)
        if other:
            raise ConfigError(
                f"the command that checks samples must print lines as it reads them; {self.command!r} prints "
                f"{min(other)[:60]!r}. Print each valid item unchanged, and nothing else."
            )
        return [text in printed for text in texts]
