"""The style sheet of the page: the colours of the figures, on a light and on a dark background."""

from typing import Final

from backlight.figures.style import DARK, LIGHT, Palette


def _colours(palette: Palette, fatal: str, serious: str, warning: str, note: str, healthy: str) -> str:
    return (
        f"--paper:{palette.paper};--ink:{palette.ink};--muted:{palette.muted};--grid:{palette.grid};"
        f"--fatal:{fatal};--serious:{serious};--warning:{warning};--note:{note};--healthy:{healthy};"
    )


# contrast of at least 4.5 : 1 with the background (WCAG 2.1, 1.4.3); a test computes it
_ON_LIGHT = _colours(LIGHT, "#a3123a", "#b8380a", "#8a5a00", "#0067a0", "#00704f")
_ON_DARK = _colours(DARK, "#ff8fa3", "#ff9b70", "#f0b94a", "#6cc1f0", "#4fd6a5")

STYLE: Final = (
    ":root{" + _ON_LIGHT + "}\n@media (prefers-color-scheme: dark){:root{" + _ON_DARK + "}}\n"
    """
*{box-sizing:border-box}
body{margin:0 auto;max-width:90rem;padding:2rem 1.25rem 4rem;background:var(--paper);color:var(--ink);
font:1rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
h1{font-size:2rem;line-height:1.2;margin:.1em 0 .6em;overflow-wrap:anywhere}
h2{font-size:1.3rem;line-height:1.3;margin:.1em 0 .5em;overflow-wrap:anywhere}
h3{font-size:1rem;margin:1em 0 .2em}
p,ul{margin:.5em 0;max-width:46rem}
ul{padding-left:1.3em;overflow-wrap:anywhere}
code{font:.92em/1.4 ui-monospace,"DejaVu Sans Mono",monospace;overflow-wrap:anywhere}
.kind,.severity{margin:0;font-size:.8rem;font-weight:600;letter-spacing:.08em;text-transform:uppercase;color:var(--muted)}
.facts{display:flex;flex-wrap:wrap;gap:.4rem 2rem;margin:0 0 1.2em}
.facts dt{font-size:.8rem;color:var(--muted)}
.facts dd{margin:0;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.summary{padding:.8em 1em;border-left:4px solid var(--serious);
background:color-mix(in srgb,var(--grid) 45%,transparent)}
.summary.healthy{border-color:var(--healthy)}
.finding{margin:2.2rem 0;padding:.2rem 0 .2rem 1.1rem;border-left:4px solid var(--note)}
.finding.fatal{border-color:var(--fatal)}.finding.fatal .severity{color:var(--fatal)}
.finding.serious{border-color:var(--serious)}.finding.serious .severity{color:var(--serious)}
.finding.warning{border-color:var(--warning)}.finding.warning .severity{color:var(--warning)}
.finding.note .severity{color:var(--note)}
.where,summary{color:var(--muted)}
summary{font-size:.9rem;cursor:pointer}
a{color:var(--note)}
table{display:block;overflow-x:auto;border-collapse:collapse;margin:.8em 0;max-width:100%}
th,td{text-align:left;vertical-align:top;padding:.25em 1.2em .25em 0;border-bottom:1px solid var(--grid)}
th{font-size:.8rem;font-weight:600;color:var(--muted)}
.number{white-space:nowrap;font-variant-numeric:tabular-nums;font-weight:600}

footer{margin-top:3rem;padding-top:1rem;border-top:1px solid var(--grid);font-size:.85rem;color:var(--muted)}
.see{font-size:.9rem}
.backlight-viewer{margin-top:2.5rem}
@media print{.finding{break-inside:avoid}}
"""
)
