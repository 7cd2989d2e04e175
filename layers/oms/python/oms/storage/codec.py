"""Python values to DynamoDB attributes and back. Whole numbers stay whole.

boto3's own serializer turns every number into a Decimal; amounts here are ints on both sides.
"""

from __future__ import annotations

from typing import Any

Attribute = dict[str, Any]


def attribute(value: Any) -> Attribute:
    """One value as an attribute; TypeError for a type that has no place in a record."""
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, int | float):
        return {"N": repr(value)}
    if isinstance(value, bytes):
        return {"B": value}
    if isinstance(value, dict):
        return {"M": {str(key): attribute(item) for key, item in value.items()}}
    if isinstance(value, list | tuple):
        return {"L": [attribute(item) for item in value]}
    if value is None:
        return {"NULL": True}
    raise TypeError(f"{type(value).__name__} cannot be stored")


def value(attribute_: Attribute) -> Any:
    """One attribute as a value."""
    ((kind, content),) = attribute_.items()
    if kind == "N":
        return int(content) if content.lstrip("-").isdigit() else float(content)
    if kind == "M":
        return {key: value(item) for key, item in content.items()}
    if kind == "L":
        return [value(item) for item in content]
    return None if kind == "NULL" else content


def encode(fields: dict[str, Any]) -> Attribute:
    """Fields as an item."""
    return {key: attribute(item) for key, item in fields.items()}


def decode(item: Attribute) -> dict[str, Any]:
    """An item as fields."""
    return {key: value(content) for key, content in item.items()}


def item_bytes(item: Attribute) -> int:
    """Size as DynamoDB bills it: names and values in UTF-8, numbers by digits, 3 bytes per map or list and 1 per element."""
    return sum(len(name.encode()) + _bytes(content) for name, content in item.items())


def _bytes(attribute_: Attribute) -> int:
    ((kind, content),) = attribute_.items()
    if kind == "S":
        return len(content.encode())
    if kind == "B":
        return len(content)
    if kind == "N":
        return len(content.strip("-").replace(".", "")) // 2 + 2
    if kind == "M":
        return 3 + sum(1 + len(name.encode()) + _bytes(item) for name, item in content.items())
    if kind == "L":
        return 3 + sum(1 + _bytes(item) for item in content)
    return 1
