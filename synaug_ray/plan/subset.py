"""Which images: the identity of a data set, and Subsets of its training images."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

from synaug_ray.common.keys import content_key
from synaug_ray.config.data_options import DataOptions


@dataclass(frozen=True)
class DataIdentity:
    """Which images: a source, its content, how they were read and split.

    ``fingerprint`` is of the source's content (or its published version); images that differ in
    any byte are other data. ``judge`` is of ``data.judge`` if it is another source, and ``test2`` of ``data.test2``:
    no part of the key, since they change no image.
    """

    source: str
    fingerprint: str
    options: DataOptions = DataOptions()
    judge: DataIdentity | None = None
    test2: DataIdentity | None = None

    # 2: 2026-11, images that are not square are cropped, not stretched; those that shrink by no whole factor are scaled
    #    bicubically; photos are turned upright; grey with transparency stays grey
    VERSION: ClassVar[int] = 2

    @cached_property
    def key(self) -> str:
        """Identity; the path of a source is where, not what, and so no part of it."""
        return content_key(
            {
                "version": self.VERSION,
                "kind": self.source.partition(":")[0],
                "fingerprint": self.fingerprint,
                "options": self.options.fields(),
            }
        )


@dataclass(frozen=True)
class Subset:
    """The first ``num_real`` images of one draw's permutation of the training images."""

    data: DataIdentity
    num_real: int
    draw: int
    stratify: Literal["natural", "balanced"] = "natural"

    def fields(self) -> dict[str, Any]:
        return {"data": self.data.key, "num_real": self.num_real, "draw": self.draw, "stratify": self.stratify}
