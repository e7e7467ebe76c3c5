"""Trainings that pages look at: one feed reads the files of a run, however many pages there are.

A page never makes a training wait: the feed reads files that the training writes anyway. And it never makes the server
wait: a page that does not keep up misses messages and then gets the whole recording again, thinned as for a new page.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from backlight.core import BacklightError
from backlight.studio import messages
from backlight.studio.recording import RunRecording

POLL_SECONDS: Final = 0.2
WAITING: Final = 32
"""Messages that wait for a page at most."""

MOST_WAITING_BYTES: Final = 8_000_000


class Page:
    """The messages that wait for one page."""

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque()
        self._behind = True  # a new page gets everything first
        self._changed = asyncio.Event()
        self._changed.set()

    def put(self, found: list[bytes]) -> None:
        """Add messages; if too many wait, the page gets everything anew instead."""
        if self._behind:
            return
        self._waiting.extend(found)
        if len(self._waiting) > WAITING or sum(map(len, self._waiting)) > MOST_WAITING_BYTES:
            self.start_anew()
        self._changed.set()

    def start_anew(self) -> None:
        """Let the page get everything anew."""
        self._waiting.clear()
        self._behind = True
        self._changed.set()

    async def take(self, whole: Callable[[], list[bytes]]) -> bytes:
        """Return the messages for the page as one array, once there are some.

        Args:
            whole: returns all messages so far.
        """
        await self._changed.wait()
        self._changed.clear()
        if self._behind:
            self._behind = False
            return messages.joined(whole())
        found = list(self._waiting)
        self._waiting.clear()
        return messages.joined(found)


class Feed:
    """One training, for the pages that look at it.

    Args:
        path: a run's folder, or a record stream.
    """

    def __init__(self, path: Path) -> None:
        self.recording = RunRecording(path)
        self.recording.news()
        self.pages: set[Page] = set()
        self._tasks: list[asyncio.Task[None]] = []

    def open(self) -> Page:
        """Return a new page. The first one starts the feed."""
        page = Page()
        self.pages.add(page)
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._examine())]
        return page

    def close(self, page: Page) -> None:
        """Take leave of a page. The last one ends the feed."""
        self.pages.discard(page)
        if not self.pages:
            for task in self._tasks:
                task.cancel()
            self._tasks = []

    def whole(self) -> list[bytes]:
        """Return all messages so far, or why there are none."""
        try:
            return self.recording.whole()
        except (BacklightError, OSError) as error:
            return [messages.problem(str(error))]

    async def _follow(self) -> None:
        last = ""
        while True:
            try:
                found, problem = self.recording.news(), ""
            except (BacklightError, OSError) as error:
                found, problem = [], str(error)
            if problem != last:
                found, last = [*(found or []), messages.problem(problem)], problem
            for page in self.pages:
                if found is None:
                    page.start_anew()
                elif found:
                    page.put(found)
            await asyncio.sleep(POLL_SECONDS)

    async def _examine(self) -> None:
        while True:
            try:
                found = await asyncio.to_thread(self.recording.diagnose)
            except BacklightError as error:
                found = [messages.problem(str(error))]
            for page in self.pages if found else ():
                page.put(found)
            await asyncio.sleep(1)


class Feeds:
    """The feeds of the server, by path. A feed lives as long as a page looks at it."""

    def __init__(self) -> None:
        self._feeds: dict[Path, Feed] = {}
        self._opening = asyncio.Lock()

    def __len__(self) -> int:
        return sum(len(feed.pages) for feed in self._feeds.values())

    async def open(self, path: Path) -> tuple[Feed, Page]:
        """Return the feed of a training, and a page of it.

        Raises:
            BacklightError: there is no training, or its files are damaged.
            OSError: they cannot be read.
        """
        async with self._opening:
            if path not in self._feeds:
                self._feeds[path] = await asyncio.to_thread(Feed, path)
            feed = self._feeds[path]
            return feed, feed.open()

    def close(self, feed: Feed, page: Page) -> None:
        """Take leave of a page."""
        feed.close(page)
        if not feed.pages:
            with suppress(KeyError):
                del self._feeds[feed.recording.path]
