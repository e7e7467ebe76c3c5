"""Byte-pair encoding as pages of Python, in the steps of lecture 8: merging bytes, then pieces, then special tokens.

Each file adds one thing and runs by itself. They are slow, because every merge reads the whole text. The folder above
gives the same merges and the same ids; tests hold it to that.
"""
