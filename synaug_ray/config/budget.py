"""How long a run may take, and what it is to find out: ``budget`` and ``until`` of a grid."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from synaug_ray.config.recipes import Count, Flag, Number, invalid

SECONDS = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86_400}
WRITTEN = re.compile(r"(\d+(?:\.\d+)?) ?(s|min|m|h|d)")
MOST = 10_000.0  # hours
HOURS = "such as 90min, 2h or 1.5d, of one core or GPU"


def _written(value: Any) -> Any:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        raise invalid("budget", f"a budget needs a unit, {HOURS}")
    return value


def _budget(text: str) -> str:
    if not WRITTEN.fullmatch(text):
        raise invalid("budget", f"a budget is a number and a unit, {HOURS}")
    if not 0 < budget_seconds(text) <= MOST * 3600:
        raise invalid("budget", f"a budget is above 0 and at most {MOST:,.0f} h, {HOURS}")
    return text


def budget_seconds(text: str) -> float:
    """``90min`` in seconds."""
    number, unit = WRITTEN.fullmatch(text).groups()  # type: ignore[union-attr]
    return float(number) * SECONDS[unit]


Budget = Annotated[str, BeforeValidator(_written), AfterValidator(_budget)]


class Until(BaseModel):
    """When a run with a budget has found out enough: both, if both are given."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    num_real: tuple[Count, ...] = ()  # the sizes that are asked about; empty: every measured one
    decide: Flag = True  # "collect or generate?" there
    half_width: Annotated[Number, Field(gt=0, le=50)] | None = None  # points: of every gain's interval

    @model_validator(mode="after")
    def _something(self) -> Until:
        if not self.decide and self.half_width is None:
            raise invalid("until", "nothing to find out; give decide: yes, or half_width: POINTS such as 1")
        return self
