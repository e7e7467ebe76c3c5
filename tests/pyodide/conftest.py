"""Pyodide in Node.js: .ci/run brings the package of npm, and says in BACKLIGHT_PYODIDE where it is."""

import os

collect_ignore_glob = [] if os.environ.get("BACKLIGHT_PYODIDE") else ["test_*.py"]
