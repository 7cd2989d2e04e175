"""Country names as the file writes them, as ISO 3166-1 codes."""

from __future__ import annotations

UNKNOWN = "ZZ"
"""User-assigned in ISO 3166-1: for names that stand for no country."""

_CODES = {
    "australia": "AU",
    "austria": "AT",
    "bahrain": "BH",
    "belgium": "BE",
    "brazil": "BR",
    "canada": "CA",
    "channel islands": "JE",
    "cyprus": "CY",
    "czech republic": "CZ",
    "denmark": "DK",
    "eire": "IE",
    "finland": "FI",
    "france": "FR",
    "germany": "DE",
    "greece": "GR",
    "hong kong": "HK",
    "iceland": "IS",
    "ireland": "IE",
    "israel": "IL",
    "italy": "IT",
    "japan": "JP",
    "korea": "KR",
    "lebanon": "LB",
    "lithuania": "LT",
    "malta": "MT",
    "netherlands": "NL",
    "norway": "NO",
    "poland": "PL",
    "portugal": "PT",
    "rsa": "ZA",
    "saudi arabia": "SA",
    "singapore": "SG",
    "spain": "ES",
    "sweden": "SE",
    "switzerland": "CH",
    "united arab emirates": "AE",
    "united kingdom": "GB",
    "usa": "US",
    "west indies": UNKNOWN,
}


def code_of(name: str) -> str:
    """ISO 3166-1 alpha-2 of a country's name; a code is taken as it is, what is not known is ZZ."""
    if len(name) == 2 and name.isascii() and name.isalpha():
        return name.upper()
    return _CODES.get(name.strip().lower(), UNKNOWN)
