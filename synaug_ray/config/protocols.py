"""Protocols in two stages: first one kind of images, then real ones, each with a schedule of its own.

``bridged`` is bridged transfer (arXiv 2403.19866): synthetic images, then real ones. ``real-then-real`` is its control,
with the Subset's real images in both stages: what it gains over real-only training is due to the two stages alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cached_property
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, field_validator

from synaug_ray.config.recipes import Flag, Name, Number, Recipe, invalid

Named = Literal[
    "mixed", "local-replacement", "soft-labels", "synthetic-only", "pretrain", "bridged", "real-then-real", "joint"
]
LOCAL = "local-replacement"
SOFT = "soft-labels"
SYNTHETIC_ONLY = "synthetic-only"  # where no synthetic images at all would not be real-only training
JOINT = "joint"  # the classifier is a head of the generator's discriminator: see ``config.joint``
SHARED = ("mixed", LOCAL, SOFT)  # protocols with a real share
STAGED = ("bridged", "real-then-real")  # those with options; the others are names alone
RESERVED = (*SHARED, SYNTHETIC_ONLY, "pretrain", "real-only", "training-check", JOINT)
MOST_MIXUP = 100.0  # of Beta(a, a): beyond, all shares are one half


class StagedProtocol(Recipe):
    """Two stages with their own warm-up and annealing; together they see as many images as any other trial."""

    family: Literal["bridged", "real-then-real"]
    name: Name
    first_share: Annotated[Number, Field(gt=0, lt=1)] = 0.5  # of the images seen, in stage one
    reset_head: Flag = True  # new random weights for the last layer before stage two
    # In stage one: a of the Beta(a, a) that shares of mixtures are drawn from (Zhang et al., arXiv 1710.09412); 0: none
    mixup: Annotated[Number, Field(ge=0, le=MOST_MIXUP)] = 0.2

    uses_pool: ClassVar[dict[str, bool]] = {"bridged": True, "real-then-real": False}

    @field_validator("name")
    @classmethod
    def _not_reserved(cls, name: str) -> str:
        if name in RESERVED:
            raise invalid("reserved-name", f"{name} is the name of another protocol; choose another name")
        return name

    @property
    def synthetic(self) -> bool:
        """Whether stage one sees synthetic images."""
        return self.uses_pool[self.family]

    @cached_property
    def options_key(self) -> str:
        """The same for a bridged protocol and its control."""
        return self._key(frozenset({"family"}))


def _with_options(name: Named) -> str | StagedProtocol:
    return PROTOCOLS[name] if name in STAGED else name


PROTOCOLS: dict[str, StagedProtocol] = {
    "bridged": StagedProtocol(family="bridged", name="bridged"),
    "real-then-real": StagedProtocol(family="real-then-real", name="real-then-real"),
}
GridProtocol = Annotated[
    Annotated[Named, AfterValidator(_with_options), Tag("named")] | Annotated[StagedProtocol, Tag("staged")],
    Discriminator(lambda value: "staged" if isinstance(value, (dict, StagedProtocol)) else "named"),
]


def name_of(protocol: str | StagedProtocol) -> str:
    """The name of a protocol in tables and on the page."""
    return protocol if isinstance(protocol, str) else protocol.name


def with_controls(protocols: Iterable[str | StagedProtocol]) -> tuple[StagedProtocol, ...]:
    """The controls of a grid's protocols: those that it names, then those of its bridged ones without one."""
    staged = [p for p in protocols if isinstance(p, StagedProtocol)]
    controls = [p for p in staged if not p.synthetic]
    known, names = {p.options_key for p in controls}, {p.name for p in staged}
    for p in staged:
        if p.options_key not in known:
            known.add(p.options_key)
            controls.append(p.model_copy(update={"family": "real-then-real", "name": _control_name(p.name, names)}))
    return tuple(controls)


def _control_name(name: str, taken: Collection[str]) -> str:
    """What the control of a bridged protocol is called where a grid does not name it."""
    replaced = name.replace("bridged", "real-then-real")
    return replaced if replaced not in (name, *taken) else f"{name}-control"
