"""The first Ctrl-C asks, the second one ends; afterwards all is as it was."""

import signal
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from backlight.training import stopped_by

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture
def trainer() -> Any:
    made = SimpleNamespace(asked=0)

    def request_stop() -> None:
        made.asked += 1

    made.request_stop = request_stop
    return made


@pytest.mark.parametrize("number", SIGNALS, ids=str)
def test_the_first_signal_only_asks(trainer: Any, number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with stopped_by(trainer, *SIGNALS):
        signal.raise_signal(number)
        assert trainer.asked == 1
        assert signal.getsignal(number) == before
    assert signal.getsignal(number) == before


def test_a_second_ctrl_c_ends_at_once(trainer: Any) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with stopped_by(trainer, *SIGNALS):
            signal.raise_signal(signal.SIGINT)
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
        assert trainer.asked == 1
    finally:
        signal.signal(signal.SIGINT, before)


def test_handlers_are_put_back_after_a_failure(trainer: Any) -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with pytest.raises(ValueError, match="loop"), stopped_by(trainer, *SIGNALS):
        raise ValueError("loop")
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_a_signal_that_is_ignored_stays_ignored_but_for_ctrl_c(trainer: Any) -> None:
    before = {number: signal.signal(number, signal.SIG_IGN) for number in SIGNALS}
    try:
        with stopped_by(trainer, *SIGNALS):
            signal.raise_signal(signal.SIGHUP)
            signal.raise_signal(signal.SIGTERM)
            assert trainer.asked == 0
            signal.raise_signal(signal.SIGINT)
            assert trainer.asked == 1
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_something_else_may_be_done_too(trainer: Any) -> None:
    came: list[signal.Signals] = []
    with stopped_by(trainer, signal.SIGTERM, also=came.append):
        signal.raise_signal(signal.SIGTERM)
    assert came == [signal.SIGTERM]


def test_in_another_thread_nothing_is_changed(trainer: Any) -> None:
    before = signal.getsignal(signal.SIGINT)
    seen: list[Any] = []

    def work() -> None:
        with stopped_by(trainer, *SIGNALS):
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]
