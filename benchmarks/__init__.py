"""Speed comparisons, one script each. Backlight and a peer are timed in turn in one process; see `harness.py`."""
