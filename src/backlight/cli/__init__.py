"""The commands: each parses, calls the library, and prints."""

from backlight.cli.app import main

__all__ = ["main"]
