"""Do mirror images show what the images show? Where left and right matter, mirroring teaches what does not occur.

Each of a sample of training images is looked up among others of them, as it is and mirrored: its nearest neighbour is
of its class or not. Mirrored photographs are recognised as often as others, mirrored digits hardly ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from synaug_ray.common.text import listed
from synaug_ray.config.presets import CLASSIFIERS, GENERATORS
from synaug_ray.data.audit.audit import Audit
from synaug_ray.data.audit.rows import AuditRow, Level
from synaug_ray.data.duplicates.search import Rows, at_work_size
from synaug_ray.data.images import ImageSet

REFERENCES, QUERIES = 3_000, 1_000  # images at most
SIDE = 16  # pixels at which images are compared, at most
# Above guessing, of what is recognised unmirrored. Mirroring takes 0 to 11% from seven sets of photographs and scans
# (some of it from copies within a set), 25% from Fashion-MNIST's silhouettes, 69% and more from signs and digits.
MOST_LOST = 0.2
SIGMAS = 3.0  # of the difference, by McNemar's test


@dataclass(frozen=True)
class Mirrored:
    """How many images are recognised by their nearest neighbour."""

    looked_up: int
    right: int
    right_mirrored: int
    lost: int  # right only if not mirrored
    won: int  # right only if mirrored
    by_guessing: float  # images right for whoever always says the most frequent class

    @property
    def differ(self) -> bool:
        """Whether mirror images are clearly not recognised as the images are."""
        fewer, beyond = self.lost - self.won, self.right - self.by_guessing
        return fewer > SIGMAS * (self.lost + self.won) ** 0.5 and fewer > MOST_LOST * max(beyond, 0.0)


def look_up(train: ImageSet, seed: int = 0) -> Mirrored | None:
    """Look up a sample of training images and their mirror images; None with fewer than two of them.

    Args:
        train: images uint8 [N, C, H, W].
        seed: of the sample.
    """
    if len(train) < 2:
        return None
    drawn = np.sort(np.random.default_rng(seed).permutation(len(train))[:REFERENCES])
    labels = train.labels[drawn]
    side = min(SIDE, train.images.shape[-1])
    small = interpolate(at_work_size(Rows(train.images, drawn)), size=(side, side), mode="area")
    queries = np.random.default_rng([seed, 1]).permutation(len(drawn))[:QUERIES]
    own = torch.from_numpy(queries)
    right, mirrored = (
        labels[_nearest(each, small, own)] == labels[queries] for each in (small[own], small[own].flip(3))
    )
    return Mirrored(
        len(queries),
        int(right.sum()),
        int(mirrored.sum()),
        int((right & ~mirrored).sum()),
        int((mirrored & ~right).sum()),
        len(queries) * float(np.bincount(labels).max()) / len(labels),
    )


def with_mirrored(audited: Audit, train: ImageSet, mirroring: Sequence[str] | None) -> Audit:
    """The audit with this check: it depends on the grid, and so is not kept with the rest.

    Args:
        mirroring: as in ``mirror_rows``.
    """
    found = look_up(train)
    numbers = audited.numbers | {"mirrored": None if found is None else asdict(found)}
    return replace(audited, rows=(*audited.rows, *mirror_rows(found, mirroring)), numbers=numbers)


def mirror_rows(found: Mirrored | None, mirroring: Sequence[str] | None) -> list[AuditRow]:
    """What that means; no row where mirror images are recognised as well, and nothing asks for them.

    Args:
        mirroring: the names of a grid's recipes with ``flip: true``; None without a grid.
    """
    if found is None or not (found.differ or mirroring):
        return []
    level: Level = "ok"
    if mirroring and found.differ:
        one = len(mirroring) == 1
        level = "warning"
        means = (
            f"Left and right matter here, but {listed(mirroring)} {'mirrors' if one else 'mirror'} images, and so "
            f"{'learns' if one else 'learn'} from some that do not occur: set flip: false for "
            f"{'it' if one else 'them'}."
        )
    elif mirroring:
        means = f"Mirroring ({listed(mirroring)}) does no harm that shows."
    else:
        means = "Left and right matter here: recipes must not mirror images (flip: false)"
        if mirroring is None:
            presets = [name for name, recipe in {**CLASSIFIERS, **GENERATORS}.items() if getattr(recipe, "flip", False)]
            level, means = "note", f"{means}, as the presets {listed(presets)} do"
        means += "."
    value = f"{found.right_mirrored / found.looked_up:.0%} recognised, {found.right / found.looked_up:.0%} unmirrored"
    how = f"(Recognised: of {found.looked_up:,} training images, the nearest other one is of the same class.)"
    return [AuditRow("mirror images", value, f"{means} {how}", level)]


def _nearest(queries: Tensor, references: Tensor, own: Tensor) -> np.ndarray:
    """The index of each query's nearest reference, int64 [Q]; ``own`` are its own, which do not count."""
    distance = torch.cdist(queries.flatten(1), references.flatten(1))
    distance[torch.arange(len(queries)), own] = torch.inf
    return distance.argmin(1).numpy()
