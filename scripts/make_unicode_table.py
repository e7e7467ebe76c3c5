"""Make the table of letters, numbers and white space for the splitting patterns: `text/tokenizers/unicode_table.py`.

    python scripts/make_unicode_table.py

The table is for one version of Unicode, independent of Python's, so that a text is split in the same way everywhere.
That version is 16.0, the one of tiktoken 0.14 and of tokenizers 0.23. Python 3.14 has it; for another Python, install
`unicodedata2==16.0.0`.
"""

import sys
import textwrap
import unicodedata
from collections.abc import Callable
from itertools import groupby
from pathlib import Path

WANTED = "16.0.0"
TARGET = Path(__file__).parents[1] / "src/backlight/text/tokenizers/unicode_table.py"
# the property White_Space of PropList.txt is not in Python: str.isspace() also counts U+001C to U+001F
NOT_WHITE_SPACE = range(0x1C, 0x20)

HEAD = '''"""Letters, numbers and white space of Unicode {version}, as ranges of code points in hexadecimal.

Made by scripts/make_unicode_table.py from Python's `unicodedata`. A tokenizer belongs to one version: in another, a
newly assigned character would be split differently.
"""

VERSION = "{version}"
'''


def ranges(belongs: Callable[[str], bool]) -> str:
    """Return the ranges of the code points for which `belongs` is true, such as `41-5a aa b5`."""
    found = []
    for inside, group in groupby(range(sys.maxunicode + 1), lambda code: belongs(chr(code))):
        codes = list(group)
        if inside:
            found.append(f"{codes[0]:x}" + (f"-{codes[-1]:x}" if len(codes) > 1 else ""))
    return " ".join(found)


def main() -> None:
    """Write the table."""
    category, version = unicodedata.category, unicodedata.unidata_version
    if version != WANTED:
        try:
            import unicodedata2
        except ImportError:
            sys.exit(f"the table needs Unicode {WANTED}; this Python has {version}. Install unicodedata2=={WANTED}.")
        category, version = unicodedata2.category, unicodedata2.unidata_version
    if version != WANTED:
        sys.exit(f"the table needs Unicode {WANTED}; unicodedata2 has {version}. Install unicodedata2=={WANTED}.")
    classes = {
        "LETTERS": ("The general categories Lu, Ll, Lt, Lm and Lo: `\\\\p{L}`.", lambda c: category(c)[0] == "L"),
        "NUMBERS": ("The general categories Nd, Nl and No: `\\\\p{N}`.", lambda c: category(c)[0] == "N"),
        "SPACES": (
            "The property White_Space: `\\\\s`.",
            lambda c: c.isspace() and ord(c) not in NOT_WHITE_SPACE,
        ),
    }
    parts = [HEAD.format(version=version)]
    for name, (what, belongs) in classes.items():
        body = textwrap.fill(
            ranges(belongs), 112, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False
        )
        parts.append(f'{name} = """\n{body}\n"""\n"""{what}"""\n')
    TARGET.write_text("\n".join(parts))
    print(f"wrote {TARGET}, Unicode {version}")


if __name__ == "__main__":
    main()
