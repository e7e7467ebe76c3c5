"""The live page: what it costs a training, how fast it draws meanwhile, and how soon a long recording is open.

    python -m benchmarks.studio [--rounds 5] [--steps 4000] [--records 100000]

It needs Chromium and the extra [studio]. Trainings of a small network run in turn: alone, beside a server without a
page, and beside a page in Chromium that draws. Figures of a machine with other work are marked "under load".
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.end_to_end.driving import Browser, Page
from tests.end_to_end.test_studio_in_a_browser import Server

from benchmarks.harness import RESULTS, environment

QUIET: Final = 0.5
"""Processes that wait or run, on average over a minute, on a machine with no other work."""

WAYS: Final = ("alone", "page closed", "page open")
NAME: Final = "run"
MOST: Final = {"page open": 0.05, "page closed": 0.02}
"""The shares of a training's time that are accepted."""

_FRAMES: Final = """(() => {
  window.frames_drawn = 0;
  const frame = () => { window.frames_drawn += 1; requestAnimationFrame(frame); };
  requestAnimationFrame(frame);
})()"""


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=4_000, help="steps of each training")
    parser.add_argument("--records", type=int, default=100_000, help="lines of the long recording")
    given = parser.parse_args()
    load = os.getloadavg()[0]
    under_load = load > QUIET
    print(f"load {load:.1f}{', under load' if under_load else ''}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        found = {
            "under_load": under_load, "load": load, **costs(Path(folder), given.rounds, given.steps),
            **opening(Path(folder), given.rounds, given.records),
        }  # fmt: skip
    RESULTS.mkdir(exist_ok=True)
    whole = json.dumps({"environment": environment(), **found}, indent=2)
    (RESULTS / "studio.json").write_text(whole + "\n")
    print(whole)


# -- the cost to a training --------------------------------------------------------------------------------------------


def costs(folder: Path, rounds: int, steps: int) -> dict[str, Any]:
    """Return seconds of trainings by how they are looked at, shares beside those alone, and frames a second."""
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    served: dict[str, list[float]] = {way: [] for way in MOST}
    rates: list[float] = []
    for number in range(rounds + 1):
        for way in WAYS:
            place = folder / f"{number}-{way.replace(' ', '-')}"
            place.mkdir()
            taken, server, rate = trained(place, way, steps)
            if number == 0:
                continue  # warms the file cache
            seconds[way].append(taken)
            if server is not None:
                served[way].append(server / taken)
            rates += [] if rate is None else [rate]
            more = "" if server is None else f", server {server / taken:.1%} of a processor"
            print(f"{way}: {taken:.2f} s{more}" + ("" if rate is None else f", {rate:.0f} frames a second"), flush=True)
    alone = seconds["alone"]
    shares = {
        way: statistics.median(other / own - 1 for own, other in zip(alone, seconds[way], strict=True)) for way in MOST
    }
    return {
        "steps": steps, "seconds": seconds, "cost": shares, "accepted": MOST, "server_of_a_processor": served,
        "frames_a_second": statistics.median(rates), "fewest_frames_a_second": min(rates),
    }  # fmt: skip


def trained(place: Path, way: str, steps: int) -> tuple[float, float | None, float | None]:
    """Train a network in a process of its own.

    Returns its seconds of training, the server's seconds of processor time, and the page's frames a second.
    """
    words = ["train", "names", "--name", NAME, "--hidden", "64", "--steps", str(steps), "--health", "--samples", "0"]
    words += ["--patience", "1000"]
    with looking(place, way) as (server, page_of):
        used = None if server is None else processor_seconds(server)
        training = subprocess.Popen(
            [sys.executable, "-m", "backlight", *words], cwd=place, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        rate = None
        if page_of is not None:
            until((place / "runs" / NAME).exists)
            with page_of() as page:
                page.until("document.querySelector('.where-now')?.textContent.startsWith('step')")
                page.run(_FRAMES)
                began = time.perf_counter()
                while training.poll() is None:
                    page.run("0")  # takes in what the browser tells
                    time.sleep(0.5)
                rate = page.run("window.frames_drawn") / (time.perf_counter() - began)
        _, said = training.communicate()
        if server is not None and used is not None:
            used = processor_seconds(server) - used
    assert training.returncode == 0, said.decode()
    return json.loads((place / "runs" / NAME / "result.json").read_text())["seconds"], used, rate


def processor_seconds(server: Server) -> float:
    """Return the processor time that a server has used."""
    fields = Path(f"/proc/{server._process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def looking(place: Path, way: str) -> Iterator[tuple[Server | None, Callable[[], Any] | None]]:
    """Serve, and open a browser, as a way of looking asks for; yield the server and what opens the page, if any."""
    if way == "alone":
        yield None, None
        return
    with serving(place) as server:
        if way == "page closed":
            yield server, None
            return
        with browsing(place) as browser:
            yield server, lambda: browser.page(f"{server.address}#{NAME}")


# -- opening a long recording ------------------------------------------------------------------------------------------


def opening(folder: Path, rounds: int, records: int) -> dict[str, Any]:
    """Return how many seconds it takes until a long recording is drawn, and milliseconds until the slider answers."""
    last = long_recording(folder, records)
    first, all_of_it, slider = [], [], []
    for number in range(rounds):
        place = folder / f"open-{number}"
        place.mkdir()
        with serving(folder, "long.jsonl") as server, browsing(place) as browser:
            began = time.perf_counter()
            with browser.page(server.address) as page:
                page.until(f"document.querySelector('.where-now')?.textContent.includes('{last:,}')")
                page.settle()
                first.append(time.perf_counter() - began)
                all_of_it.append(settled(page, began))
                slider.append(slid(page))
        print(
            f"drawn after {first[-1]:.2f} s, whole after {all_of_it[-1]:.2f} s, slider {slider[-1]:.0f} ms", flush=True
        )
    return {
        "records": records, "bytes": (folder / "long.jsonl").stat().st_size, "first_drawn_seconds": first,
        "whole_seconds": all_of_it, "slider_milliseconds": slider,
    }  # fmt: skip


def settled(page: Page, began: float) -> float:
    """Return the seconds until the page has not been drawn for half a second."""
    page.run("""new Promise((done) => {
      let timer = setTimeout(done, 500);
      new MutationObserver(() => { clearTimeout(timer); timer = setTimeout(done, 500); })
        .observe(document.querySelector('#viewer'), { subtree: true, childList: true, attributes: true });
    })""")
    return time.perf_counter() - began - 0.5


def slid(page: Page) -> float:
    """Return the median milliseconds from a move of the slider to the frame after the next."""
    found: float = page.run("""(async () => {
      const slider = document.querySelector('.timeline input');
      const frame = () => new Promise((done) => requestAnimationFrame(done));
      const times = [];
      for (let move = 1; move <= 20; move += 1) {
        await frame();
        const began = performance.now();
        slider.value = Math.round((slider.max * ((7 * move) % 20)) / 20);
        slider.dispatchEvent(new Event('input'));
        await frame();
        await frame();
        times.push(performance.now() - began);
      }
      return times.sort((a, b) => a - b)[10];
    })()""")
    return found


def long_recording(folder: Path, records: int) -> int:
    """Write a recording of so many lines: those of a real training, again and again. Returns its last step."""
    words = ["train", "names", "--name", "short", "--hidden", "64", "--steps", "60", "--health-every", "1"]
    subprocess.run([sys.executable, "-m", "backlight", *words], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    lines = [json.loads(line) for line in (folder / "runs" / "short" / "health.jsonl").read_bytes().splitlines()]
    of = {kind: [one for one in lines if one["type"] == kind] for kind in ("start", "network", "step", "loss")}
    with (folder / "long.jsonl").open("w", encoding="utf-8") as file:
        for one in (*of["start"], *of["network"][:1]):
            file.write(json.dumps(one, separators=(",", ":")) + "\n")
        for number in range(records):  # each tenth line is a recorded step of about 7 kB
            some = of["loss" if number % 10 else "step"]
            file.write(json.dumps({**some[number // 10 % len(some)], "step": number}, separators=(",", ":")) + "\n")
    return records


@contextmanager
def serving(place: Path, *words: str) -> Iterator[Server]:
    """Serve a folder's runs."""
    made = Server(place, *words)
    try:
        yield made
    finally:
        made.end()


@contextmanager
def browsing(place: Path) -> Iterator[Browser]:
    """Start a browser with a profile of its own."""
    made = Browser(place)
    try:
        yield made
    finally:
        made.close()


def until(found: Callable[[], bool]) -> None:
    """Wait until a function returns True."""
    while not found():
        time.sleep(0.02)


if __name__ == "__main__":
    main()
