"""Where synthetic images have fewer draws than the grid, and what a grid may say of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from synaug_ray.common.errors import Message
from synaug_ray.common.text import listed
from synaug_ray.config.recipes import Count, CountOrZero
from synaug_ray.config.yaml_source import Lines

if TYPE_CHECKING:
    from synaug_ray.config.cells import CellSpec
    from synaug_ray.config.spec import GridSpec


class FewerDraws(BaseModel):
    """A number of real images at which synthetic ones have fewer draws than the grid; real-only trials have all."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    num_real: CountOrZero
    draws: Count
    generators: tuple[str, ...] = ()  # their names in tables, with a filter's behind a +; none: all of them

    def holds(self, num_real: int, name: str) -> bool:
        """Whether it speaks of these synthetic images at so many real ones."""
        return num_real == self.num_real and (not self.generators or name in self.generators)


def left_out(fewer: Sequence[FewerDraws], cell: CellSpec) -> bool:
    """Whether a cell's draw is one that its synthetic images do not have."""
    if cell.generator is None:
        return False
    return any(cell.draw >= one.draws and one.holds(cell.num_real, cell.arm) for one in fewer)


def merged(spec: GridSpec, more: Sequence[FewerDraws]) -> tuple[FewerDraws, ...]:
    """Those of the grid and ``more``; where several speak of the same images, the fewest draws."""
    every, found = [*spec.fewer_draws, *more], list[FewerDraws]()
    for n in dict.fromkeys(one.num_real for one in every):
        limits: dict[str, int] = {}
        for name in sorted(spec.arms(n)):
            told = [one.draws for one in every if one.holds(n, name)]
            limits |= {name: min(told)} if told else {}
        for draws in sorted(set(limits.values())):
            names = tuple(name for name, limit in limits.items() if limit == draws)
            whole = len(names) == len(spec.arms(n))
            found.append(FewerDraws(num_real=n, draws=draws, generators=() if whole else names))
    return tuple(found)


def fewer_draws_problems(spec: GridSpec, lines: Lines) -> list[Message]:
    """What ``fewer_draws`` names and the grid does not have, and what it names twice."""
    found, products = list[Message](), spec.products()
    sizes = sorted({n for factors in products for n in factors.num_real})
    for i, fewer in enumerate(spec.fewer_draws):
        n, place = fewer.num_real, lines.at(("fewer_draws", i))
        names = sorted(spec.arms(n))
        unknown = [name for name in fewer.generators if name not in names]
        draws = [factors.draws for factors in products if n in factors.num_real]
        before = [one for one in spec.fewer_draws[:i] if one.num_real == n]
        if not draws:
            text = (
                f"fewer_draws names {n:,} real images, which are not measured; allowed are "
                f"{listed(f'{size:,}' for size in sizes)}"
            )
            found.append(Message(text, place, "not-measured", f"{n}"))
        elif unknown:
            text = (
                f"fewer_draws names {listed(unknown)} at {n:,} real images, which the grid does not have there; "
                f"allowed are {listed(names) or 'none'}"
            )
            found.append(Message(text, place, "not-measured", listed(unknown)))
        elif fewer.draws > max(draws):
            text = (
                f"fewer_draws gives {fewer.draws:,} draws at {n:,} real images, and the grid has {max(draws):,} there; "
                "give fewer, or raise draws"
            )
            found.append(Message(text, place, "more-than-draws", f"{fewer.draws}"))
        elif any(
            not (one.generators and fewer.generators) or {*one.generators} & {*fewer.generators} for one in before
        ):
            text = f"fewer_draws names {n:,} real images twice for the same generators; leave one out"
            found.append(Message(text, place, "duplicate-value", f"{n}"))
    return found
