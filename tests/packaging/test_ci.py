"""What CI runs, and what it leaves alone."""

import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_ci_runs_no_finding():
    """The scripts in findings/ take hours, or need what CI does not have: nothing that CI runs may name them."""
    tests = [path for path in (ROOT / "tests").rglob("*.py") if path != Path(__file__)]
    runs = [ROOT / ".ci" / "run", ROOT / "Makefile", *tests]
    assert [path for path in runs if "findings/" in path.read_text(encoding="utf-8")] == []
    pytest_options = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]
    assert pytest_options["ini_options"]["testpaths"] == ["tests"]


def test_a_skipped_test_fails_ci():
    assert "BACKLIGHT_NO_SKIPS=1 make test" in CI


def test_ci_runs_the_integrations_with_the_real_packages():
    """Without them nothing of tests/integrations is collected, which pytest ends with an error if nothing else is."""
    wanted = 'in_environment integrations "$wheel[test,hf,export]" lightning accelerate -- tests/integrations'
    assert wanted in CI


def test_ci_runs_the_notebooks_with_the_extras_that_they_need():
    wanted = (
        'in_environment grading "$wheel[test,notebook,studio]" nbgrader otter-grader -- \\\n    tests/grading_systems'
    )
    assert f"{wanted} tests/notebooks" in CI


def test_the_script_can_be_read_by_bash():
    subprocess.run(["bash", "-n", ROOT / ".ci" / "run"], check=True)
