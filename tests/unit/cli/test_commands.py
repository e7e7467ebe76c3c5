"""The list of commands says of each what it says itself, and names all that there are."""

import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from backlight.cli.app import app
from backlight.cli.commands import COMMANDS, whole

FORCING = {"FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS", "CLICOLOR_FORCE"}
PLAIN = {
    **{name: value for name, value in os.environ.items() if name not in FORCING},
    "COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb",
}  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_what_is_listed_is_what_the_command_says(name):
    command = whole(name)
    first, *_ = (command.help or "").split("\n\n")
    assert " ".join(first.split()) == COMMANDS[name][0]
    assert command.epilog.startswith("Example:  backlight ")


def test_help_names_every_command_and_imports_none():
    code = (
        "import sys\nfrom backlight.cli import main\nsys.argv = ['backlight', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(sorted(one for one in sys.modules if one.startswith(('backlight.training', 'backlight.cli.train'))))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=PLAIN).stdout
    assert said.endswith("[]\n")
    for name in COMMANDS:
        assert f" {name} " in said


def test_what_is_not_there_is_met_with_what_is_near():
    result = CliRunner().invoke(app, ["trian"], env=PLAIN)
    assert result.exit_code == 2
    assert "Did you mean 'train'?" in " ".join((result.output + result.stderr).split())
