"""All that is wrong with a recipe at once: with what its files say, and with its fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import ModelWrapValidatorHandler, ValidationError
from pydantic_core import InitErrorDetails

from synaug_ray.config.given_base import Wrong
from synaug_ray.config.recipes import Recipe, invalid

R = TypeVar("R", bound=Recipe)


def validated(title: str, handler: ModelWrapValidatorHandler[R], values: Any, wrong: Sequence[Wrong]) -> R:
    """What ``handler`` makes of ``values``.

    Raises:
        ValidationError: if anything is ``wrong``, with that and what the handler finds in other fields.
    """
    # their texts name the values already, and an input that is no plain value is not quoted
    errors = [InitErrorDetails(type=invalid(w.code, w.text), loc=(w.field,), input={}) for w in wrong]
    made: R | None = None
    try:
        made = handler(values)
    except ValidationError as error:
        if not wrong:
            raise
        errors += [
            InitErrorDetails(type=invalid(e["type"], e["msg"]), loc=e["loc"], input=e["input"])
            for e in error.errors()
            if e["loc"][:1] not in {(w.field,) for w in wrong}
        ]
    if wrong or made is None:
        raise ValidationError.from_exception_data(title, errors)
    return made
