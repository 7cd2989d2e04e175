"""Moto's answers at a fair price: of an attribute it looks for ten kinds of content under several names each, and finds one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from moto.core.serialize import BaseJSONSerializer


def serialize_attributes_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a DynamoDB attribute only the content that it has is looked at; the answers are the same."""
    real: Callable[..., None] = BaseJSONSerializer._serialize_type_structure

    def structure(serializer: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:
        if shape.name != "AttributeValue" or not key or type(value) is not dict or not value.keys() <= shape.members.keys():
            real(serializer, serialized, value, shape, key)
            return
        content: dict[str, Any] = {}
        for kind, held in value.items():
            serializer._serialize(content, held, shape.members[kind], kind)
        serialized[key] = content

    monkeypatch.setattr(BaseJSONSerializer, "_serialize_type_structure", structure)
