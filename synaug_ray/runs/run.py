"""A run of a grid as values: built before any work, passed whole; and what a run's folder says about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from synaug_ray.config.spec import GridSpec
from synaug_ray.plan.plan import Plan
from synaug_ray.store.run_folder import RunFolder, RunState
from synaug_ray.store.store import Store

__all__ = ["Run", "RunState", "RunStatus", "Session"]


@dataclass(frozen=True)
class Session:
    """One call of the command."""

    id: str
    command: str
    started: float  # time.time()
    cores: int = 1  # slots that could work at once
    device: str = "cpu"


@dataclass(frozen=True)
class Run:
    """One run of a grid: its question, its steps, the folder of its results, and the session that runs it."""

    name: str
    spec: GridSpec
    plan: Plan
    store: Store
    folder: RunFolder
    session: Session


@dataclass(frozen=True)
class RunStatus:
    """A run as its folder describes it, without its data set: for readers beside the driver or after it."""

    name: str
    spec: GridSpec
    plan: Plan
    store: Store
    folder: RunFolder
    state: RunState
    updated: datetime  # when the driver last wrote status.json
    cores: int
