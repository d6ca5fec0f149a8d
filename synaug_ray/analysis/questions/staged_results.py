"""The results about protocols in two stages. Gains are fractions in [0, 1]."""

from __future__ import annotations

from dataclasses import dataclass

from synaug_ray.laws.results import Estimate


@dataclass(frozen=True, kw_only=True)
class StagedCell:
    """What two stages gain at one number of real and synthetic images; all intervals are pointwise.

    A control, with real images in both stages, has ``num_synthetic`` 0 and the generator ``none``.
    """

    classifier: str
    protocol: str  # its name
    generator: str
    num_real: int
    num_synthetic: int
    gain: Estimate  # over real-only training at the same draw and seed
    control: str  # the name of the control with the same options; empty in a control, or where none is done
    over_control: Estimate | None  # gain over that at the same draw and seed
    leep: float | None  # mean LEEP of stage one on the real images, in nats; None in a control
