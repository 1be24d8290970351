"""One HTML page that needs nothing else: text, tables and inline SVG."""

from collections.abc import Iterable, Sequence
from html import escape

STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; font-size: .93em; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .5rem; border-bottom: 1px solid #8884; text-align: right; }
th:first-child, td:first-child { text-align: left; white-space: nowrap; }
th { font-weight: 600; }
tr.best td { font-weight: 600; }
svg { width: 100%; height: auto; margin: .5rem 0; }
code { font-size: .95em; }
"""


def page(title: str, parts: Iterable[str]) -> str:
    """A whole page; the parts are HTML already."""
    body = "\n".join(parts)
    return (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        f"<style>{STYLE}</style>\n<h1>{escape(title)}</h1>\n{body}\n</html>\n"
    )


def heading(text: str) -> str:
    """A section begins."""
    return f"<h2>{escape(text)}</h2>"


def paragraph(text: str) -> str:
    """Plain text."""
    return f"<p>{escape(text)}</p>"


def items(texts: Iterable[str]) -> str:
    """Plain texts, one a bullet."""
    return "<ul>" + "".join(f"<li>{escape(text)}</li>" for text in texts) + "</ul>"


def link(address: str, text: str) -> str:
    """A link to a file beside the page."""
    return f'<a href="{escape(address, quote=True)}">{escape(text)}</a>'


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], best: Sequence[int] = ()) -> str:
    """A table of plain texts; the rows numbered in `best` stand out."""
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(
        f"<tr{' class=best' if index in best else ''}>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
        for index, row in enumerate(rows)
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
