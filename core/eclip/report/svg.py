"""Small plots as SVG text: grouped bars, lines, and strips of coloured runs. No dependency, no script, safe in HTML."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 760
HEIGHT = 260
LEFT = 62
BOTTOM = 40
TOP = 34
COLOURS = ("#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#b07aa1", "#76b7b2", "#edc948", "#9c755f")


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of a strip: from `first` to `last` (inclusive), coloured by `level` out of the highest level."""

    first: int
    last: int
    level: float
    label: str


def bars(title: str, unit: str, groups: Sequence[str], series: Mapping[str, Sequence[float]]) -> str:
    """Bars side by side: for each group one bar of each series."""
    highest = max((value for values in series.values() for value in values), default=0.0)
    axis = _Axis.of(highest)
    slot = (WIDTH - LEFT - 10) / max(1, len(groups))
    bar = slot * 0.8 / max(1, len(series))
    parts = [axis.grid(unit)]
    for index, (name, values) in enumerate(series.items()):
        for group, value in enumerate(values):
            x = LEFT + group * slot + slot * 0.1 + index * bar
            what = f"{groups[group]}, {name}: {value:.4g}"
            parts.append(_bar(x, bar * 0.92, axis.y(value), COLOURS[index % len(COLOURS)], what))
    for group, name in enumerate(groups):
        parts.append(_text(LEFT + (group + 0.5) * slot, HEIGHT - BOTTOM + 16, name, "middle"))
    return _figure(title, HEIGHT, parts, list(series))


def lines(title: str, unit: str, series: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Values over seconds, one line of each series."""
    points = [point for values in series.values() for point in values]
    axis = _Axis.of(max((value for _, value in points), default=0.0))
    longest = max((at for at, _ in points), default=0.0) or 1.0
    parts = [axis.grid(unit)]
    for index, values in enumerate(series.values()):
        path = " ".join(f"{LEFT + at / longest * (WIDTH - LEFT - 10):.1f},{axis.y(value):.1f}" for at, value in values)
        colour = COLOURS[index % len(COLOURS)]
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.8"/>')
    parts.append(_text(WIDTH - 10, HEIGHT - BOTTOM + 16, f"{longest:.3g} s", "end"))
    parts.append(_text(LEFT, HEIGHT - BOTTOM + 16, "0", "middle"))
    return _figure(title, HEIGHT, parts, list(series))


def strips(title: str, highest: float, rows: Mapping[str, Sequence[Run]]) -> str:
    """One strip a row, all rows scaled to their own length; the darker, the higher the level."""
    row_height = 30
    parts = []
    for row, (name, runs) in enumerate(rows.items()):
        y = TOP + row * row_height
        length = max((run.last + 1 for run in runs), default=1)
        parts.append(_text(LEFT + 40, y + 16, name, "end"))
        parts += [_run(run, y, length, highest) for run in runs]
    return _figure(title, TOP + row_height * len(rows) + 12, parts, [])


@dataclass(frozen=True, slots=True)
class _Axis:
    top: float
    step: float

    @classmethod
    def of(cls, highest: float) -> "_Axis":
        """An axis from 0 whose ticks are 1, 2 or 5 times a power of ten."""
        if highest <= 0:
            return cls(1.0, 0.5)
        power = 10 ** math.floor(math.log10(highest / 4))
        step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= highest / 5)
        return cls(math.ceil(highest * 1.0001 / step) * step, step)

    def y(self, value: float) -> float:
        return HEIGHT - BOTTOM - value / self.top * (HEIGHT - BOTTOM - TOP)

    def grid(self, unit: str) -> str:
        parts = [_text(6, TOP - 8, unit, "start")]
        for tick in range(round(self.top / self.step) + 1):
            y = self.y(tick * self.step)
            parts.append(f'<line x1="{LEFT}" x2="{WIDTH - 10}" y1="{y:.1f}" y2="{y:.1f}" stroke="#8884"/>')
            parts.append(_text(LEFT - 6, y + 4, f"{tick * self.step:.4g}", "end"))
        return "".join(parts)


def _bar(x: float, width: float, y: float, colour: str, what: str) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{HEIGHT - BOTTOM - y:.1f}" fill="{colour}">'
        f"<title>{escape(what)}</title></rect>"
    )


def _run(run: Run, y: float, length: int, highest: float) -> str:
    scale = (WIDTH - LEFT - 60) / length
    x = LEFT + 50 + run.first * scale
    width = max(0.6, (run.last - run.first + 1) * scale)
    opacity = 0.15 + 0.85 * run.level / highest if highest else 1.0
    return (
        f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="22" fill="{COLOURS[0]}" fill-opacity="{opacity:.2f}">'
        f"<title>{escape(run.label)}</title></rect>"
    )


def _text(x: float, y: float, content: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(content)}</text>'


def _figure(title: str, height: float, parts: Sequence[str], legend: Sequence[str]) -> str:
    entries = "".join(
        f'<tspan fill="{COLOURS[index % len(COLOURS)]}" dx="{14 if index else 0}">\u25a0 </tspan>'
        f"<tspan>{escape(name)}</tspan>"
        for index, name in enumerate(legend)
    )
    heading = f'<text x="{LEFT}" y="16" font-weight="600">{escape(title)}</text>'
    key = f'<text x="{LEFT}" y="{height - 6:.0f}">{entries}</text>' if legend else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" role="img" '
        f'aria-label="{escape(title)}" font-family="system-ui, sans-serif" font-size="12" fill="currentColor">'
        f"{heading}{''.join(parts)}{key}</svg>"
    )
