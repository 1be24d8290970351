"""Plots are well-formed XML, show every value, and let nothing of their labels become markup."""

import re
from xml.etree import ElementTree

from eclip.report import html, svg

SVG = "{http://www.w3.org/2000/svg}"


def test_every_bar_is_there_and_its_height_follows_its_value():
    root = ElementTree.fromstring(svg.bars("speed", "req/s", ["a", "b"], {"x": [1.0, 2.0], "y": [4.0, 3.0]}))
    heights = [float(bar.attrib["height"]) for bar in root.iter(f"{SVG}rect")]

    assert len(heights) == 4
    assert heights[1] / heights[0] == 2.0 or abs(heights[1] / heights[0] - 2) < 0.01
    assert max(heights) == heights[2]


def test_labels_are_text_and_never_markup():
    for picture in (
        svg.bars("<script>", "&", ["<b>"], {"<i>": [1.0]}),
        svg.lines("<script>", "&", {"<i>": [(0.0, 1.0), (1.0, 2.0)]}),
        svg.strips("<script>", 60, {"<i>": [svg.Run(0, 3, 60, "<b>")]}),
    ):
        ElementTree.fromstring(picture)
        assert "<script>" not in picture
        assert "<b>" not in picture
        assert "<i>" not in picture


def test_plots_of_nothing_are_still_pictures():
    ElementTree.fromstring(svg.bars("empty", "", [], {}))
    ElementTree.fromstring(svg.bars("zero", "", ["a"], {"x": [0.0]}))
    ElementTree.fromstring(svg.lines("empty", "", {"x": []}))


def test_a_strip_covers_its_length_without_gaps():
    picture = svg.strips("groups", 60, {"w": [svg.Run(0, 9, 15, "15"), svg.Run(10, 33, 60, "60")]})
    root = ElementTree.fromstring(picture)
    first, second = list(root.iter(f"{SVG}rect"))

    assert abs(float(first.attrib["x"]) + float(first.attrib["width"]) - float(second.attrib["x"])) < 0.2
    assert float(first.attrib["fill-opacity"]) < float(second.attrib["fill-opacity"])


def test_the_page_loads_nothing_from_elsewhere():
    page = html.page("t", [html.table(["a"], [["<x>"]], best=[0]), svg.bars("b", "u", ["g"], {"s": [1.0]})])

    assert not re.search(r"<(script|link|img)\b|\bsrc=", page)
    assert "&lt;x&gt;" in page
