"""Token files: texts as ids in `.bin` files, as nanoGPT and llm.c use them. See docs/token_files.md."""
