"""The first Ctrl-C asks, the second one ends; afterwards all is as it was."""

import signal
from types import SimpleNamespace
from typing import Any

import pytest

from backlight.cli.learning import _stopping


@pytest.fixture
def trainer() -> Any:
    made = SimpleNamespace(asked=0)

    def request_stop() -> None:
        made.asked += 1

    made.request_stop = request_stop
    return made


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=str)
def test_the_first_signal_only_asks(trainer: Any, number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with _stopping(trainer):
        signal.raise_signal(number)
        assert trainer.asked == 1
        assert signal.getsignal(number) == before
    assert signal.getsignal(number) == before


def test_a_second_ctrl_c_ends_at_once(trainer: Any) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with _stopping(trainer):
            signal.raise_signal(signal.SIGINT)
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
        assert trainer.asked == 1
    finally:
        signal.signal(signal.SIGINT, before)


def test_handlers_are_put_back_after_a_failure(trainer: Any) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(ValueError, match="loop"), _stopping(trainer):
        raise ValueError("loop")
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
