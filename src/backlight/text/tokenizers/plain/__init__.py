"""Byte-pair encoding in a few pages of Python, in the steps of lecture 8: merges of bytes, pieces, special tokens.

Each file adds one idea and can be run. They are slow, since every merge reads the whole text. The package above gives
the same merges and the same ids, which the tests check.
"""
