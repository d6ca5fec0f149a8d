"""What the columns of a table hold, by their Arrow types: plain, large and view types and dictionaries alike."""

from __future__ import annotations

from typing import Literal

import pyarrow as pa

LabelKind = Literal["integers", "strings", "booleans", "nothing"]


def stored(kind: pa.DataType) -> pa.DataType:
    """The type of the values behind dictionaries and extension types."""
    while True:
        if isinstance(kind, pa.BaseExtensionType):
            kind = kind.storage_type
        elif pa.types.is_dictionary(kind):
            kind = kind.value_type
        else:
            return kind


def is_binary(kind: pa.DataType) -> bool:
    """Bytes of any length."""
    kind = stored(kind)
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind)


def is_string(kind: pa.DataType) -> bool:
    """Text."""
    kind = stored(kind)
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def is_flag(kind: pa.DataType) -> bool:
    """Values that may be yes or no."""
    kind = stored(kind)
    return pa.types.is_boolean(kind) or pa.types.is_integer(kind)


def is_list(kind: pa.DataType) -> bool:
    """Several values a row."""
    kind = stored(kind)
    tests = ("is_list", "is_large_list", "is_fixed_size_list", "is_list_view", "is_large_list_view")
    return any(getattr(pa.types, test)(kind) for test in tests)


def holds_images(kind: pa.DataType) -> bool:
    """Encoded images: bytes, or a struct with a field ``bytes``."""
    kind = stored(kind)
    if pa.types.is_struct(kind):
        return any(field.name == "bytes" and is_binary(field.type) for field in kind)
    return is_binary(kind)


def holds_paths(kind: pa.DataType) -> bool:
    """Text that may name image files, alone or in a struct without bytes."""
    kind = stored(kind)
    if pa.types.is_struct(kind):
        return any(field.name == "path" and is_string(field.type) for field in kind) and not holds_images(kind)
    return is_string(kind)


def label_kind(kind: pa.DataType) -> LabelKind | None:
    """What kind of labels a column of this type holds; None for one that holds none. Widths do not matter."""
    kind = stored(kind)
    if pa.types.is_integer(kind):
        return "integers"
    if is_string(kind):
        return "strings"
    if pa.types.is_boolean(kind):
        return "booleans"
    return "nothing" if pa.types.is_null(kind) else None


def is_new_kind(kind: pa.DataType) -> bool:
    """Whether version 1 of the reading knew no images and labels of this type."""
    inner = [field.type for field in kind if field.name == "bytes"] if pa.types.is_struct(kind) else [kind]
    return any(
        isinstance(k, pa.BaseExtensionType)
        or pa.types.is_binary_view(k)
        or pa.types.is_string_view(k)
        or (pa.types.is_dictionary(k) and (is_binary(k) or pa.types.is_string_view(k.value_type)))
        for k in inner
    )
