"""Nodes of imaginary clusters."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from synaug_ray.cluster.checks import Answer, Node
from synaug_ray.common.provenance import Software

DRIVER = Software(
    "3.11.4",
    {"synaug-ray": "0.1.0", "ray": "2.60.0", "torch": "2.14.0", "numpy": "2.1.0"},
    "0.1.0",
    "aaa",
    "/here/synaug_ray",
)


def node(name: str, cpu: float = 0, gpu: float = 0, **more: Any) -> Node:
    """A node with plenty of memory."""
    return Node(name, name * 3, {"CPU": cpu, "GPU": gpu, "memory": 64e9, "object_store_memory": 20e9}, **more)


def answering(
    name: str,
    unread: str = "",
    unwritten: str = "",
    bf16: bool | None = True,
    cpu: float = 4,
    base: Software = DRIVER,
    missing_files: tuple[str, ...] = (),
    **software: Any,
) -> Node:
    """A node that has answered: with four cores and the software ``base``, except for the given changes."""
    return node(name, cpu, answer=Answer(replace(base, **software), bf16, unread, unwritten, missing_files))
