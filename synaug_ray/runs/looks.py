"""Looks at a run's results, counted: each new one spends part of the false verdicts allowed.

A look is a file ``looks/<number>-<draws>x<seeds>-<digest of the trials' keys>.json`` in the run's folder, without
``x<seeds>`` where an older version wrote it. What counts is its name, so that damage to what it holds loses nothing.
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

NAME = re.compile(r"(\d+)-(\d+)(?:x(\d+))?-([0-9a-f]{16})\.json")


def recorded(folder: RunFolder) -> list[tuple[str, Look]]:
    """The looks so far with the digests of their data, in order.

    Raises:
        StorageProblem: where the storage refuses.
    """
    found = [m for name in folder.names(LOOKS) if (m := NAME.fullmatch(name))]
    names = sorted((int(m[1]), int(m[2]), int(m[3] or 0), m[4]) for m in found)
    looks: list[Look] = []
    for _, draws, seeds, _ in names:
        looks.append(next_look(looks, draws, seeds))
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
    made = done[done["num_synthetic"] > 0] if "num_synthetic" in done else done[:0]
    counted = made if len(made) else done  # real-only trials may have further draws, which say nothing of a gain
    draws, seeds = (len(set(counted[name].tolist())) for name in ("draw", "seed"))
    look = next_look(earlier, draws, seeds)
    if count and draws > 1:
        made = {"draws": draws, "seeds": seeds, "trials": len(keys)}
        told = {"look": len(found) + 1} | made | {"spent": look.share, "at": now()}
        folder.write_json(f"{LOOKS}/{len(found) + 1}-{draws}x{seeds}-{digest}.json", told)
    return (*earlier, look)
