"""The figures of a simulation as a picture: one pair of bars per measure, plain SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from oms.routing.simulation_table import Row, measures, shares

_COLOURS = {"in force": "#8a8f98", "proposed": "#2b6cb0"}
_LEFT, _BARS, _RIGHT = 250, 420, 110
_BAR, _GAP, _AXIS = 13, 14, 48
_WIDTH = _LEFT + _BARS + _RIGHT


def svg(answer: Mapping[str, Any], title: str) -> str:
    """The chart as the text of an SVG file. Bars of a measure are drawn against the larger of its two figures."""
    parts = [_text(20, 30, title, size=16, weight="bold"), _text(20, 50, _subtitle(answer), fill="#555")]
    for number, (name, colour) in enumerate(_COLOURS.items()):
        x = _LEFT + number * 110
        parts += [f'<rect x="{x}" y="64" width="12" height="12" fill="{colour}"/>', _text(x + 18, 75, name)]
    compared = [row for row in measures(answer) if row.in_force is not None and row.proposed is not None]
    y = _panel(parts, 110, compared, "percent of the larger of the two figures", relative=True)
    y = _panel(parts, y + 46, shares(answer), "percent of all units that were served", relative=False)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{y}" viewBox="0 0 {_WIDTH} {y}"'
    body = "\n".join(['<rect width="100%" height="100%" fill="white"/>', *parts])
    return f'{head} font-family="Helvetica, Arial, sans-serif" font-size="12">\n{body}\n</svg>\n'


def _subtitle(answer: Mapping[str, Any]) -> str:
    return f"{answer['orders']:,} orders, {answer['changed_orders']:,} of which would have gone elsewhere"


def _panel(parts: list[str], top: int, rows: Sequence[Row], axis: str, *, relative: bool) -> int:
    """Draw one group of measures under one axis; returns where it ends."""
    step = 2 * _BAR + _GAP
    bottom = top + step * len(rows)
    for percent in (0, 25, 50, 75, 100):
        x = _LEFT + _BARS * percent // 100
        parts.append(f'<line x1="{x}" y1="{top - 6}" x2="{x}" y2="{bottom}" stroke="#ddd"/>')
        parts.append(_text(x, bottom + 16, f"{percent} %", anchor="middle", fill="#555"))
    parts.append(_text(_LEFT + _BARS // 2, bottom + 34, axis, anchor="middle", fill="#555"))
    for number, row in enumerate(rows):
        y = top + number * step
        parts.append(_text(_LEFT - 10, y + _BAR + 4, f"{row.name}{f' ({row.unit})' if row.unit else ''}", anchor="end"))
        whole = max(row.in_force or 0, row.proposed or 0, 1) if relative else 100
        for line, (figure, colour) in enumerate(zip((row.in_force or 0, row.proposed or 0), _COLOURS.values(), strict=True)):
            long, at = _BARS * figure // whole, y + line * _BAR
            parts.append(f'<rect x="{_LEFT}" y="{at}" width="{long}" height="{_BAR - 1}" fill="{colour}"/>')
            parts.append(_text(_LEFT + long + 6, at + _BAR - 3, f"{figure:,}", size=11))
    return bottom + _AXIS


def _text(x: int, y: int, text: str, *, anchor: str = "start", size: int = 12, fill: str = "#222", weight: str = "normal") -> str:
    style = f'text-anchor="{anchor}" font-size="{size}" font-weight="{weight}" fill="{fill}"'
    return f'<text x="{x}" y="{y}" {style}>{escape(text)}</text>'
