"""All fitted forms in one table: formula, parameters with units and bounds, source."""

from __future__ import annotations

from synaug_ray.laws.alternatives import (
    J2_FORMULA,
    J2_PARAMETERS,
    J2_SOURCE,
    J3_FORMULA,
    J3_REAL,
    J3_SOURCE,
    J3_SYNTHETIC,
)
from synaug_ray.laws.curves import CURVES
from synaug_ray.laws.equivalence import FORMS
from synaug_ray.laws.fitting import Parameter
from synaug_ray.laws.results import Form, FormParameter, Published
from synaug_ray.laws.selection import LEAST_SIZES

_QUOTED = "arXiv 2508.09550, as quoted by others; its c1, k and intervals were not found"
PUBLISHED = (
    Published("CIFAR-10", "closed-set", 2.53, _QUOTED),
    Published("CIFAR-10", "open-set", 2.93, _QUOTED),
    Published("BloodMNIST", "closed-set", 3.88, _QUOTED),
    Published("ImageNet-100", "closed-set", 37.84, _QUOTED),
    Published("ImageNet-100", "open-set", 1.68, _QUOTED),
)


def _parameters(parameters: tuple[Parameter, ...]) -> tuple[FormParameter, ...]:
    return tuple(FormParameter(p.name, p.unit, p.low, p.high) for p in parameters)


FORM_TABLE: tuple[Form, ...] = (
    *(
        Form(
            c.name,
            "real-only curve",
            c.formula,
            _parameters(c.parameters),
            c.source,
            max(c.least_sizes, len(c.parameters) + 1, LEAST_SIZES),
        )
        for c in CURVES
    ),
    *(Form(f.name, "equivalence law", f.formula, _parameters(f.parameters), f.source, LEAST_SIZES) for f in FORMS),
    Form(
        "J1",
        "joint law",
        "E = E_real(n (1 + r(n, s))), E_real a real-only curve, r an equivalence law",
        (),
        "this project: curve and law fitted together, so that no inversion is needed",
        LEAST_SIZES,
    ),
    Form("J2", "joint law", J2_FORMULA, _parameters(J2_PARAMETERS), J2_SOURCE, LEAST_SIZES),
    Form("J3", "joint law", J3_FORMULA, _parameters((*J3_REAL, *J3_SYNTHETIC)), J3_SOURCE, len(J3_REAL) + 1),
)
