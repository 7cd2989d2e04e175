"""How far a place is from a destination: the great circle, in whole kilometres."""

from __future__ import annotations

from collections.abc import Mapping
from math import asin, cos, radians, sin, sqrt

EARTH_RADIUS_KM = 6371
"""The mean radius of the earth; the error of a sphere against the real earth is below half a percent."""

Point = tuple[float, float]
"""Latitude and longitude in degrees."""


def kilometres(start: Point, end: Point) -> int:
    """Great circle between two points by the haversine formula, rounded to whole kilometres."""
    (lat1, lon1), (lat2, lon2) = ((radians(lat), radians(lon)) for lat, lon in (start, end))
    half = sin((lat2 - lat1) / 2) ** 2 + cos(lat1) * cos(lat2) * sin((lon2 - lon1) / 2) ** 2
    return round(2 * EARTH_RADIUS_KM * asin(sqrt(min(1.0, half))))


def area_key(country: str, postal_code: str) -> str:
    """Country and postal code as one key, "DE-10115"; blanks and dashes in the code and its case do not matter."""
    return f"{country}-{postal_code.replace(' ', '').replace('-', '')}".upper()


def centre(country: str, postal_code: str, areas: Mapping[str, Point]) -> Point | None:
    """The centre of the postal area, the longest known prefix of the code first ("DE-10" for 10115), the country ("DE") last; else None."""
    key = area_key(country, postal_code)
    for end in range(len(key), len(country) - 1, -1):
        if found := areas.get(key[:end]):
            return found
    return None


def point(latitude: float | None, longitude: float | None, country: str, postal_code: str, areas: Mapping[str, Point]) -> Point | None:
    """The coordinates if both are given, else the centre of the postal area, else None."""
    if latitude is not None and longitude is not None:
        return latitude, longitude
    return centre(country, postal_code, areas)
