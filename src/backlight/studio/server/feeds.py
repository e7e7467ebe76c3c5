"""Trainings that pages look at: one feed reads the files of a run, however many pages there are.

A page never makes a training wait: the feed reads files that the training writes anyway. And it never makes the server
wait: a page that does not keep up misses messages and then gets the whole recording again, thinned as for a new page.
"""

import asyncio
from collections import deque
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

OVERVIEW: Final = 0.1
"""Of what a page gets of a long recording at most, this share comes first."""

LONG_BYTES: Final = 4_000_000
"""An overview of more than its share of this is one of a long recording; a shorter one has everything already."""


class Page:
    """The messages that wait for one page.

    Attributes:
        behind: whether the page gets everything anew next, as a new one does.
        has_overview: whether it has got an overview, so that everything can follow.
        taken: set once the page has got everything.
    """

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque()
        self.behind = True
        self.has_overview = False
        self.taken = asyncio.Event()
        self._changed = asyncio.Event()
        self._changed.set()

    def put(self, found: list[bytes]) -> None:
        """Add messages; if too many wait, the page gets everything anew instead."""
        if self.behind:
            return
        self._waiting.extend(found)
        if len(self._waiting) > WAITING or sum(map(len, self._waiting)) > MOST_WAITING_BYTES:
            self.start_anew()
        self._changed.set()

    def start_anew(self) -> None:
        """Let the page get everything anew."""
        self._waiting.clear()
        self.behind = True
        self._changed.set()

    async def wait(self) -> None:
        """Wait until there is something for the page."""
        await self._changed.wait()
        self._changed.clear()

    def take(self) -> list[bytes]:
        """Return the messages that wait."""
        found = list(self._waiting)
        self._waiting.clear()
        return found

    def caught_up(self) -> None:
        """Note that the page gets everything so far now, and from here on what is put."""
        self.behind = False
        self.taken.set()


class Feed:
    """One training, for the pages that look at it.

    Files are read in other threads, one at a time, so that the server always answers.

    Args:
        path: a run's folder, or a record stream.
    """

    def __init__(self, path: Path) -> None:
        self.recording = RunRecording(path)
        self.recording.news()
        self.pages: set[Page] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._reading = asyncio.Lock()

    def open(self) -> Page:
        """Return a new page. The first one starts the feed."""
        page = Page()
        self.pages.add(page)
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._examine(page))]
        return page

    def close(self, page: Page) -> None:
        """Take leave of a page. The last one ends the feed."""
        self.pages.discard(page)
        if not self.pages:
            for task in self._tasks:
                task.cancel()
            self._tasks = []

    async def take(self, page: Page) -> bytes:
        """Return the messages for a page as one array, once there are some.

        A new page of a long recording gets an overview, which is drawn soon, and then everything.
        """
        await page.wait()
        if not page.behind:
            return messages.joined(page.take())
        async with self._reading:
            if not page.has_overview:
                page.has_overview = True
                found = await asyncio.to_thread(self._whole, OVERVIEW)
                if sum(map(len, found)) > OVERVIEW * LONG_BYTES:
                    page.start_anew()
                    return messages.joined(found)
            found = await asyncio.to_thread(self._whole, 1.0)
            page.caught_up()
        return messages.joined(found)

    def _whole(self, share: float) -> list[bytes]:
        """Return all messages so far, or why there are none."""
        try:
            return self.recording.whole(share=share)
        except (BacklightError, OSError) as error:
            return [messages.problem(str(error))]

    async def _follow(self) -> None:
        last = ""
        while True:
            async with self._reading:  # also while pages get what was found: none of it comes twice, or never
                try:
                    found, problem = await asyncio.to_thread(self.recording.news), ""
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

    async def _examine(self, first: Page) -> None:
        await first.taken.wait()  # the doctor takes seconds of a long recording, and the page comes first
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
