"""Checks of a parsed manifest: each field has the type and the range that it needs."""

import math
import sys
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from model.checkpoint.records import LARGEST, Photo

_TYPES: dict[str, type] = {
    **dict.fromkeys(("projection_size", "embedding_size", "input_size"), int),
    **dict.fromkeys(("training", "metrics", "sha256", "preprocessing"), dict),
    **dict.fromkeys(("name", "backbone"), str),
    **dict.fromkeys(("classes", "photos"), list),
    "scale": float,
}


def check_types(data: dict[str, Any]) -> None:
    """Raises TypeError or ValueError where a field of a parsed manifest cannot be meant."""
    for key in ("normalise", "standardise"):
        if not isinstance(data.get(key, True), bool):
            raise TypeError(f"{key} is not of type bool")
    for key, expected in _TYPES.items():
        if type(data[key]) is not expected:
            raise TypeError(f"{key} is not of type {expected.__name__}")
        if expected is int and not 1 <= data[key] <= LARGEST:
            raise ValueError(f"{key} is {data[key]}")
    if not math.isfinite(data["scale"]):
        raise ValueError(f"scale is {data['scale']}")
    for key, items in (("classes", data["classes"]), ("sha256", data["sha256"].values())):
        if not all(isinstance(item, str) for item in items):
            raise TypeError(f"{key} holds something else than text")


_Record = TypeVar("_Record")


def record(kind: type[_Record], data: Any) -> _Record:
    """A dataclass of plain fields from a parsed object.

    Raises:
        TypeError, ValueError: a field is missing, unknown, of another type or not finite.
    """
    made = kind(**data)
    for name, expected in get_type_hints(kind).items():
        value = getattr(made, name)
        if not _is_of(value, expected):
            raise TypeError(f"{name} is not of the right type")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{name} is {value}")
    return made


def _is_of(value: Any, expected: Any) -> bool:
    """Whether a parsed value has a plain type, is one of a `Literal`, or fits into a union."""
    choices = get_args(expected)
    if get_origin(expected) is Literal:
        return value in choices
    if choices:
        return any(_is_of(value, choice) for choice in choices)
    return type(value) is expected or (expected is float and type(value) is int)


def photo(path: str, label: str, credit: str = "", licence: str = "", page: str = "") -> Photo:
    """A photo that shares what many photos have in common, which saves a third of the memory.

    Raises:
        TypeError: a field is not text.
    """
    if not isinstance(path, str) or not isinstance(page, str):
        raise TypeError("path or page is not of the right type")
    return Photo(path, sys.intern(label), sys.intern(credit), sys.intern(licence), page)
