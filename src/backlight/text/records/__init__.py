"""Reading items from the files that people have: tables, JSON, FASTA, SMILES, blocks of lines, text between marks."""

from backlight.text.records.reader import Found, read_items
from backlight.text.records.reading import FORMATS, Format, Reading

__all__ = ["FORMATS", "Format", "Found", "Reading", "read_items"]
