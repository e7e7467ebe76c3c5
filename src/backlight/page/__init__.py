"""A trained model inside one HTML file, in which it runs in any browser: samples, scores and attention.

`contents.py` has what goes into the file, `html.py` the page around it, and `scripts/` the engine, ES modules that
compute what `backlight.models` computes.
"""

from backlight.page.html import write_page

__all__ = ["write_page"]
