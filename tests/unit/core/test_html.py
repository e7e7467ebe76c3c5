"""Pages that load nothing."""

import re

from backlight.core.html import allowed, document


def test_a_page_may_load_nothing_and_run_only_what_is_named() -> None:
    for scripts, may in (("", ""), (allowed("1"), f"; script-src {allowed('1')}")):
        page = document("A & B", style="p {}", body="<body></body>", scripts=scripts)
        (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
        assert policy == f"default-src 'none'; img-src data:; style-src 'unsafe-inline'{may}"
        assert "<title>A &amp; B</title>" in page
