"""Tests in JupyterLab and Notebook 7. Where they are not installed nothing is collected: `.ci/run` runs these tests in
an environment of their own."""

from importlib.util import find_spec

MISSING = [name for name in ("jupyterlab", "notebook", "anywidget", "websockets") if find_spec(name) is None]

collect_ignore_glob = ["test_*.py"] if MISSING else []


def pytest_report_header() -> str:
    return f"tests/notebooks: not collected without {', '.join(MISSING)}" if MISSING else ""
