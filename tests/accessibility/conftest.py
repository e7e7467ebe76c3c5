"""The rules of axe-core, a package of npm: .ci/run brings it, and says in BACKLIGHT_AXE where its axe.min.js is."""

import os

collect_ignore_glob = [] if os.environ.get("BACKLIGHT_AXE") else ["test_*.py"]
