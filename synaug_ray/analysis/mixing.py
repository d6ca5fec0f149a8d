"""How tables and results write what tells mixtures apart: the real share of a batch, and a weight in the loss.

``0.75``: three quarters of each batch are real, and weigh as much. ``0.75@0.9``: the same batches, with 90% of the loss
on real images. ``proportional`` and ``proportional@0.9``: batches as the counts are. ``none``: no batch has both kinds.
"""

from __future__ import annotations

from synaug_ray.config.protocols import SYNTHETIC_ONLY

AT = "@"
PROPORTIONAL, NO_MIXTURE = "proportional", "none"


def mix_name(real_share: float | None, real_weight: float | None) -> str:
    """The name of a mixture; a share of None is in proportion, a weight of None is as the share."""
    share = PROPORTIONAL if real_share is None else f"{real_share:g}"
    return share if real_weight is None else f"{share}{AT}{real_weight:.12g}"


def share_and_weight(name: str) -> tuple[str, str]:
    """``0.75@0.9`` -> ``0.75``, ``0.9``; the weight is empty where it is as the share."""
    share, _, weight = name.partition(AT)
    return share, weight


def real_weight(name: str) -> float | None:
    """The weight of real images in the loss; None if it is as the counts are.

    Raises:
        ValueError: if this is not the name of a mixture.
    """
    share, weight = share_and_weight(name)
    if weight:
        return float(weight)
    return None if share == PROPORTIONAL else float(share)


def tells_of_adding(protocol: str, outcome: str) -> bool:
    """Whether a verdict tells what adding synthetic images does: where they are alone, only that they help."""
    return protocol != SYNTHETIC_ONLY or outcome == "helps"


def with_teacher(mixed: str) -> str:
    """How ``soft-labels`` uses images that are ``mixed`` so, as a clause."""
    return f"soft labels, {mixed}"


def local_replacement(real_share: str) -> str:
    """How ``local-replacement`` uses images, as a clause."""
    often = "in proportion" if real_share == PROPORTIONAL else f"{100 * (1 - float(real_share)):.0f}% of the time"
    return f"real images replaced by their own variations {often}"
