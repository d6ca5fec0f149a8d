"""State shared by all workers: who has which generator and GPU, how often a step was begun, where a shard is.

It is one small actor without torch, because every process takes seconds of a core to start. Nothing is lost with its
state: after a restart it has all generators again, workers ask the Store before they begin one, and shards are in the
Store.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import Any

import ray

from synaug_ray.plan.steps import GeneratorStep

SHARD_BYTES = 2 << 30  # bytes of sampled shards kept in Ray's object store: at most this, and a quarter of that store


def byte_cap() -> int:
    """Bytes of sampled shards that this cluster's Coordinator may keep."""
    return min(SHARD_BYTES, int(ray.cluster_resources().get("object_store_memory", SHARD_BYTES) // 4))


@ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)
class Coordinator:
    """Hands out generators to train and GPUs, and keeps references to sampled blocks up to a byte cap."""

    def __init__(
        self, cap: int, generators: list[GeneratorStep], gpus: dict[str, tuple[str, ...]] | None = None
    ) -> None:
        """Args are what is handed out.

        Args:
            cap: bytes of blocks to keep at most.
            generators: to train, in this order; a restarted coordinator has all of them again.
            gpus: the GPU ids of each node (by its id), as in CUDA_VISIBLE_DEVICES.
        """
        self._waiting = list(generators)
        self._begun: Counter[str] = Counter()
        self._taken: dict[int, GeneratorStep] = {}
        self._cap, self._bytes = cap, 0
        self._blocks: OrderedDict[str, tuple[Any, int]] = OrderedDict()
        self._gpus = gpus or {}
        self._gpu_order: dict[tuple[str, str], list[str]] = {}
        self._assigned: dict[tuple[str, str, str], str] = {}
        self._notes: dict[str, str] = {}

    def assign_gpu(self, node: str, lane: str, who: str) -> str | None:
        """A GPU of a node, or None if none is known.

        A restarted worker gets its previous GPU, others the one least recently assigned to a lane of this kind.
        """
        order = self._gpu_order.setdefault((node, lane), list(self._gpus.get(node, ())))
        if order and (node, lane, who) not in self._assigned:
            order.append(order.pop(0))
            self._assigned[node, lane, who] = order[-1]
        return self._assigned.get((node, lane, who))

    def note(self, key: str, text: str) -> None:
        """Keep what a worker reported about a step before it exited."""
        self._notes[key] = text

    def last_note(self, key: str) -> str:
        """The last note on a step; empty if there is none."""
        return self._notes.get(key, "")

    def begin(self, key: str) -> int:
        """Count a start of a step; returns how often it has been begun, including this time."""
        self._begun[key] += 1
        return self._begun[key]

    def take(self, worker: int, restarted: bool) -> GeneratorStep | None:
        """The next generator for a worker, or None; a restarted worker gets its previous one."""
        if restarted and worker in self._taken:
            return self._taken[worker]
        self._taken.pop(worker, None)
        if not self._waiting:
            return None
        begun = [step for step in self._waiting if not self._waits(step)]
        if not begun:  # left to the worker that trains the shorter ones: it continues these sooner than another begins
            return None
        self._waiting.remove(begun[0])
        self._taken[worker] = begun[0]
        return begun[0]

    def _waits(self, step: GeneratorStep) -> bool:
        """Whether it continues a shorter training that is not done yet."""
        course = getattr(step, "course", "")
        others = [*self._waiting, *self._taken.values()] if course else []
        return any(other.course == course and other.images_seen < step.images_seen for other in others)

    def put(self, key: str, block: list[Any], size: int) -> None:
        """Keep a block, and drop the least recently used ones above the cap.

        ``block`` is a list with the block's reference, because Ray would resolve a bare reference to the block itself.
        """
        if key in self._blocks:
            self._bytes -= self._blocks.pop(key)[1]
        self._blocks[key] = (block[0], size)
        self._bytes += size
        while self._bytes > self._cap and self._blocks:
            self._bytes -= self._blocks.popitem(last=False)[1][1]

    def get(self, key: str) -> list[Any]:
        """A list with the reference to a block; empty if it is not kept."""
        if key not in self._blocks:
            return []
        self._blocks.move_to_end(key)
        return [self._blocks[key][0]]

    def held(self) -> int:
        """Bytes of all kept blocks."""
        return self._bytes
