"""How numbers and names are written on the page.

The JSON has fractions; the page shows percent for errors and points
(1 point = 0.01) for gains. "Not estimable" is written out, never shown as zero.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from synaug_ray.analysis.mixing import NO_MIXTURE, PROPORTIONAL, share_and_weight
from synaug_ray.analysis.study_key import STUDY
from synaug_ray.common.text import fixed
from synaug_ray.report.run_view import finite

NOT_ESTIMABLE = "not estimable"
NO_SHARE = "\u2014"
Form = Callable[[float], str]


def error_name(laws: Mapping[str, Any] | None) -> str:
    """The name of the error that laws and verdicts are about: 'balanced error' or 'test error'."""
    return "balanced error" if (laws or {}).get("error") == "balanced_error" else "test error"


def _minus(text: str) -> str:
    return text.replace("-", "\u2212")


def percent(fraction: float) -> str:
    """0.1234 -> '12.34'; the unit is in the column's header."""
    return _minus(fixed(100 * fraction, ".2f"))


def points(fraction: float) -> str:
    """0.0123 -> '+1.23' (points), always signed."""
    return _minus(fixed(100 * fraction, "+.2f"))


def images(count: float) -> str:
    """A number of images, with a thousands separator."""
    return _minus(fixed(count, ",.0f" if abs(count) >= 10 or count == int(count) else ".2g"))


def more_images(count: float) -> str:
    """A number of additional images: signed, negative if images are lost."""
    text = images(count)
    return text if count < 0 or text == "0" else "+" + text


def rate(value: float) -> str:
    """Synthetic images per real image, three significant digits."""
    return _minus(fixed(value, ",.0f") if abs(value) >= 100 else fixed(value, "#.3g"))


def plain(value: float) -> str:
    """A number without a unit of its own, four significant digits."""
    return _minus(fixed(value, ",.0f" if abs(value) >= 1000 and value == int(value) else ".4g"))


def two_digits(value: float) -> str:
    """1.234 -> '1.2', 123 -> '123'."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def one_digit(value: float) -> str:
    """One significant digit: 254 -> '300', 0.452 -> '0.5'."""
    return f"{float(f'{value:.1g}'):,.10g}"


def rough(value: float) -> str:
    """14 -> '≈ 10', for a number that is only known to within a factor."""
    return f"≈ {one_digit(value)}"


def rough_seconds(value: float) -> str:
    """The same for a duration: 840 -> '≈ 10 min'."""
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if value >= size:
            return f"{rough(value / size)} {unit}"
    return f"{rough(value)} s"


def share(fraction: float) -> str:
    """0.9 -> '90 %'."""
    return f"{100 * fraction:.0f}\u202f%"


def multiple(value: float) -> str:
    """2.0 -> '2×'."""
    return f"{value:g}×"


def seconds(value: float) -> str:
    """Seconds; if there are many, as minutes or hours."""
    if value < 120:
        return f"{value:.3g} s"
    return f"{value / 60:.1f} min" if value < 7200 else f"{value / 3600:.1f} h"


def moment(iso: Any) -> str:
    """'2026-11-21T09:04:01Z' -> '21 Nov 2026, 09:04'; anything else is returned unchanged."""
    try:
        return f"{datetime.datetime.fromisoformat(str(iso)):%d %b %Y, %H:%M}"
    except ValueError:
        return str(iso)


def value_of(estimate: Any) -> float | None:
    """The value of an Estimate in JSON."""
    return finite(estimate.get("value")) if isinstance(estimate, Mapping) else finite(estimate)


def ends_of(estimate: Any) -> tuple[float | None, float | None]:
    """Lower and upper end of an Estimate in JSON."""
    if not isinstance(estimate, Mapping):
        return None, None
    return finite(estimate.get("low")), finite(estimate.get("high"))


def with_interval(estimate: Any, form: Form) -> str:
    """'+1.02 [−0.30, +2.10]'; an open end is written 'open'."""
    value = value_of(estimate)
    low, high = ends_of(estimate)
    if value is None and (low is None) != (high is None):
        return f"at least {form(low)}" if low is not None else f"at most {form(high or 0.0)}"
    text = NOT_ESTIMABLE if value is None else form(value)
    if low is None and high is None:
        return text
    return f"{text} [{'open' if low is None else form(low)}, {'open' if high is None else form(high)}]"


def real_share(text: str) -> str:
    """The real share of a batch: '0.5' -> '50 %', '0.5@0.9' -> '50 %, weighted 0.9'; 'none' -> NO_SHARE."""
    if text == NO_MIXTURE:
        return NO_SHARE
    batch, weight = share_and_weight(text)
    weighted = f", weighted {weight}" if weight else ""
    if batch == PROPORTIONAL:
        return f"in proportion{weighted}"
    try:
        return share(float(batch)) + weighted
    except ValueError:
        return text


@dataclass(frozen=True)
class StudyNames:
    """Names studies by generator and real share, and by other fields only if those differ between studies."""

    fields: tuple[str, ...]

    @classmethod
    def of(cls, studies: Iterable[Mapping[str, Any]]) -> StudyNames:
        studies = list(studies)
        varying = {f for f in STUDY if len({s[f] for s in studies}) > 1}
        return cls(tuple(f for f in STUDY if f in varying | {"generator", "real_share"}))

    def name(self, study: Mapping[str, Any]) -> str:
        """'edm · 50 % of a batch real', 'edm · mixed in proportion'."""
        said = [
            _mixed(part) if field == "real_share" else part
            for field, part in zip(self.fields, self.parts(study), strict=True)
            if part != NO_SHARE
        ]
        return " · ".join(part for part in said if part != "mixed" or not any(p.startswith("mixed ") for p in said))

    def parts(self, study: Mapping[str, Any]) -> list[str]:
        """The parts of the name, one per field."""
        return [real_share(str(study[f])) if f == "real_share" else str(study[f]) for f in self.fields]


def _mixed(share: str) -> str:
    batch, comma, weighted = share.partition(",")
    return f"{batch} of a batch real{comma}{weighted}" if batch.endswith("%") else f"mixed {share}"


def study_key(study: Mapping[str, Any]) -> tuple[str, ...]:
    """The values of the fields by which verdicts belong to a study."""
    return tuple(str(study[f]) for f in STUDY)
