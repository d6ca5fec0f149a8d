"""Looks at a run's results, counted: each new one spends part of the false verdicts allowed.

A look is a file ``looks/<number>-<draws>x<seeds>-<digest of the trials' keys>.json`` in the run's folder, without
``x<seeds>`` where an older version wrote it, and with ``r<draws>`` behind them where real images alone have more draws.
What counts is its name, so that damage to what it holds loses nothing.
Looks are only added. The same command without a new trial finds its digest there and is the same look again. A look is
written before the verdicts that it pays for, so that a kill in between does not lose it either.
"""

from __future__ import annotations

import hashlib
import re

import pandas as pd

from synaug_ray.laws.simultaneous import Look, next_look
from synaug_ray.store.run_folder import LOOKS, RunFolder
from synaug_ray.store.store import now

NAME = re.compile(r"(\d+)-(\d+)(?:x(\d+))?(?:r(\d+))?-([0-9a-f]{16})\.json")


def recorded(folder: RunFolder) -> list[tuple[str, Look]]:
    """The looks so far with the digests of their data, in order.

    Raises:
        StorageProblem: where the storage refuses.
    """
    found = [m for name in folder.names(LOOKS) if (m := NAME.fullmatch(name))]
    names = sorted((int(m[1]), int(m[2]), int(m[3] or 0), int(m[4] or 0), m[5]) for m in found)
    looks: list[Look] = []
    for _, draws, seeds, alone, _ in names:
        looks.append(next_look(looks, draws, seeds, alone))
    return [(digest, look) for (*_, digest), look in zip(names, looks, strict=True)]


def take_look(folder: RunFolder, done: pd.DataFrame, *, count: bool) -> tuple[Look, ...]:
    """The looks at these trials so far, this one last.

    Args:
        done: the finished trials, with their ``key``, ``draw``, ``seed`` and ``num_synthetic``.
        count: whether this is a look that spends: not so while a run is going on.
    """
    keys = sorted(done["key"].astype(str))
    digest = hashlib.sha256("\n".join(keys).encode()).hexdigest()[:16]
    found = recorded(folder)
    digests = [told for told, _ in found]
    if digest in digests:
        return tuple(look for _, look in found[: digests.index(digest) + 1])
    earlier = [look for _, look in found]
    mixed = done[done["num_synthetic"] > 0]
    draws, seeds = (len(set((mixed if len(mixed) else done)[name].tolist())) for name in ("draw", "seed"))
    every = len(set(done["draw"].tolist()))
    alone = every if every > draws else 0
    look = next_look(earlier, draws, seeds, alone)
    if count and draws > 1:
        made = {"draws": draws, "seeds": seeds, "trials": len(keys)}
        told = {"look": len(found) + 1} | made | {"spent": look.share, "at": now()}
        behind = f"r{alone}" if alone else ""
        folder.write_json(f"{LOOKS}/{len(found) + 1}-{draws}x{seeds}{behind}-{digest}.json", told)
    return (*earlier, look)
