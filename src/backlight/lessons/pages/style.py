"""The style sheet of the pages: the colours of the figures, on a light and on a dark background."""

from typing import Final

from backlight.figures.style import DARK, LIGHT, Palette


def _colours(palette: Palette, *, code: str, word: str, text: str, number: str, link: str) -> str:
    # the names that begin with jp are JupyterLab's, which a graph in SVG uses for the colours of the page
    return (
        f"--paper:{palette.paper};--ink:{palette.ink};--muted:{palette.muted};--grid:{palette.grid};"
        f"--code:{code};--word:{word};--text:{text};--number:{number};--link:{link};"
        f"--jp-layout-color0:{palette.paper};--jp-content-font-color0:{palette.ink};"
        f"--jp-content-font-color2:{palette.muted};--jp-border-color2:{palette.grid};"
    )


# contrast of at least 4.5 : 1 with the background and with that of code (WCAG 2.1, 1.4.3); a test computes it
_ON_LIGHT = _colours(LIGHT, code="#f5f7fa", word="#8a2f6f", text="#00684a", number="#8a4b00", link="#0067a0")
_ON_DARK = _colours(DARK, code="#161d27", word="#e3a0cf", text="#4fd6a5", number="#f0b94a", link="#6cc1f0")

STYLE: Final = (
    ":root{" + _ON_LIGHT + "}\n@media (prefers-color-scheme: dark){:root{" + _ON_DARK + "}}\n"
    """
*{box-sizing:border-box}
html{scroll-behavior:smooth}
body{margin:0 auto;max-width:68rem;padding:1.25rem 1.25rem 4rem;background:var(--paper);color:var(--ink);
font:1rem/1.6 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
a{color:var(--link)}
a:focus-visible,summary:focus-visible,[tabindex]:focus-visible{outline:2px solid var(--link);outline-offset:2px}
h1{font-size:2rem;line-height:1.2;margin:.8em 0 .6em}
h2{font-size:1.45rem;line-height:1.3;margin:2em 0 .5em}
h3{font-size:1.15rem;margin:1.6em 0 .4em}
.text p,.text ul,.text ol,.about{max-width:46rem;overflow-wrap:break-word}
.about{color:var(--muted);font-size:.9rem}
.way{display:flex;flex-wrap:wrap;gap:.3rem 1.5rem;font-size:.95rem}
.contents ul{columns:2 18rem;padding-left:1.2em;font-size:.95rem}
code,pre{font:.86rem/1.5 ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace}
.text code,.about code{background:var(--code);padding:.05em .3em;border-radius:3px}
.short{white-space:nowrap}
pre{margin:.6rem 0;overflow-x:auto}
.text pre,pre.code{background:var(--code);padding:.7em .9em;border-radius:4px;border:1px solid var(--grid)}
.text pre code{background:none;padding:0}
.out{margin:.6rem 0 .6rem .9rem;overflow-x:auto}
.out img,.out picture,.out svg{display:block;max-width:100%;height:auto}
.wide{overflow-x:auto;max-width:100%}
.out table,.text table{border-collapse:collapse;font-size:.9rem}
.text th,.text td{padding:.25em 1.2em .25em 0;border-bottom:1px solid var(--grid);text-align:left}
details{margin:.6rem 0}
summary{cursor:pointer;color:var(--link)}
.entry{margin:2rem 0;padding-left:1rem;border-left:4px solid var(--grid)}
.entry h2{margin:.2em 0}
.entry ul{margin:.3em 0;padding-left:1.2em;list-style:none}
footer{margin-top:3rem;padding-top:1rem;border-top:1px solid var(--grid)}
.k,.kc,.kn,.kd,.kr,.kt,.ow{color:var(--word)}
.s,.s1,.s2,.sa,.sd,.se,.sb,.sc,.sr{color:var(--text)}
.si{color:var(--ink)}
.m,.mi,.mf,.mh,.mo,.mb,.il{color:var(--number)}
.c,.c1,.cm,.ch{color:var(--muted);font-style:italic}
.nf,.nc,.nd{color:var(--link)}
@media (prefers-reduced-motion: reduce){html{scroll-behavior:auto}}
@media print{.out,.entry{break-inside:avoid}}
"""
)
