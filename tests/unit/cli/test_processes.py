"""Which process of a group writes and prints."""

import pytest

from backlight.cli.processes import is_first


@pytest.mark.parametrize(
    ("variables", "first"),
    [
        ({}, True),
        ({"RANK": "3"}, True),  # of another launcher: this process is alone
        ({"RANK": "3", "WORLD_SIZE": "1"}, True),
        ({"RANK": "0", "WORLD_SIZE": "4"}, True),
        ({"RANK": "3", "WORLD_SIZE": "4"}, False),
    ],
)
def test_the_first_of_a_group_and_one_alone_speak(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], first: bool
) -> None:
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert is_first() is first
