"""Token files: texts as ids in `.bin` files, as nanoGPT and llm.c use them. See docs/token_files.md."""

from backlight.text.token_files.folder import TokenFiles, are_token_files
from backlight.text.token_files.sequences import TokenSequences

__all__ = ["TokenFiles", "TokenSequences", "are_token_files"]
