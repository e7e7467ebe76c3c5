"""The command line: each command parses its options, calls the library and prints the result."""

from backlight.cli.app import main

__all__ = ["main"]
