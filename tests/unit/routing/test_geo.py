"""Whole kilometres between two points, or between what is known of them."""

from __future__ import annotations

import pytest

from oms.routing.geo import Point, centre, kilometres, point

BERLIN, PARIS, SYDNEY = (52.52, 13.405), (48.8566, 2.3522), (-33.8688, 151.2093)
AREAS = {"DE-1": (52.0, 13.0), "DE-10": BERLIN, "GB-SW1A": (51.5, -0.14), "DE": (51.0, 10.0)}


@pytest.mark.parametrize(
    ("start", "end", "distance"),
    [
        pytest.param(BERLIN, BERLIN, 0, id="here"),
        pytest.param(BERLIN, PARIS, 877, id="berlin-paris"),
        pytest.param(PARIS, BERLIN, 877, id="and-back"),
        pytest.param(PARIS, SYDNEY, 16960, id="paris-sydney"),
        pytest.param((0.0, 179.5), (0.0, -179.5), 111, id="over-the-date-line"),
        pytest.param((90.0, 0.0), (-90.0, 0.0), 20015, id="pole-to-pole"),
        pytest.param((0.0, 0.0), (0.0, 180.0), 20015, id="the-other-side-of-the-world"),
    ],
)
def test_the_great_circle(start: Point, end: Point, distance: int) -> None:
    assert kilometres(start, end) == distance


@pytest.mark.parametrize(
    ("country", "postal_code", "found"),
    [
        pytest.param("DE", "10115", BERLIN, id="the-longest-prefix-wins"),
        pytest.param("DE", "19000", (52.0, 13.0), id="a-shorter-one"),
        pytest.param("DE", "80331", (51.0, 10.0), id="the-country-comes-last"),
        pytest.param("GB", "80331", None, id="a-country-that-is-not-known"),
        pytest.param("GB", "sw1a 1aa", (51.5, -0.14), id="case-and-blanks-do-not-matter"),
        pytest.param("FR", "10115", None, id="another-country"),
        pytest.param("", "", None, id="nothing-known"),
    ],
)
def test_the_centre_of_the_postal_area(country: str, postal_code: str, found: Point | None) -> None:
    assert centre(country, postal_code, AREAS) == found


def test_coordinates_go_before_the_area() -> None:
    assert point(48.8566, 2.3522, "DE", "10115", AREAS) == PARIS
    assert point(0.0, 0.0, "DE", "10115", AREAS) == (0.0, 0.0)
    assert point(48.8566, None, "DE", "10115", AREAS) == BERLIN
    assert point(None, None, "XX", "1", AREAS) is None
