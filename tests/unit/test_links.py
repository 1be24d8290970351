"""Every link of the documentation leads somewhere in the repository."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *(page for folder in ("docs", "examples") for page in (ROOT / folder).rglob("*.md"))]
)


def prose(page: Path) -> str:
    """A page without its code."""
    kept = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"^    .*$|`[^`\n]*`", "", kept, flags=re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Of its headings, as Git hosts make them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def dead(page: Path) -> Iterator[str]:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if "://" in target or target.startswith("mailto:"):
            continue
        path, _, anchor = target.partition("#")
        place = page.parent / path if path else page
        if not place.exists() or (anchor and anchor not in anchors(place)):
            yield target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert list(dead(page)) == []


def test_pages_have_links() -> None:
    linked = {target for page in PAGES for target in re.findall(r"\]\(([^)\s]+)\)", prose(page))}

    assert {"docs/limits.md", "conditions.md"} <= linked


@pytest.mark.parametrize("page", sorted((ROOT / "docs").rglob("*.md")), ids=lambda page: page.name)
def test_every_page_is_found_from_another(page: Path) -> None:
    links = (
        (other.parent / target.partition("#")[0]).resolve()
        for other in PAGES
        if other != page
        for target in re.findall(r"\]\(([^)\s]+)\)", prose(other))
        if "://" not in target
    )

    assert any(place in (page, page.parent) for place in links)
