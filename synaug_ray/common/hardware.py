"""This machine: the number formats of its CPU, its memory and its names, as reported by the operating system."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from pathlib import Path

import psutil

CPUINFO = Path("/proc/cpuinfo")
NVIDIA = Path("/proc/driver/nvidia/gpus")
BF16 = {"amx_bf16", "avx512_bf16", "bf16"}  # Intel's matrix unit; Intel's and AMD's vectors; ARM


def bf16_in_hardware() -> bool | None:
    """Whether this machine's CPU supports bf16 in hardware; None where the operating system does not say."""
    flags = cpu_flags()
    return None if flags is None else bool(flags & BF16)


def cpu_flags() -> set[str] | None:
    """The CPU's feature flags as in /proc/cpuinfo; None except on Linux."""
    try:
        text = CPUINFO.read_text()
    except OSError:
        return None
    key = "Features" if platform.machine() in ("aarch64", "arm64") else "flags"
    line = next((line for line in text.splitlines() if line.startswith(key)), None)
    return None if line is None else set(line.partition(":")[2].split())


CGROUPS = (  # limit, use, and the file of statistics whose inactive_file can be taken back; versions 2 and 1
    ("memory.max", "memory.current", "memory.stat"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat"),
)
CGROUP = Path("/sys/fs/cgroup")


def free_memory() -> int:
    """Bytes of memory that this process can still take: what the machine has, or what its container may use if less."""
    found = [psutil.virtual_memory().available]
    for limit, used, statistics in CGROUPS:
        try:
            most, now = int((CGROUP / limit).read_text()), int((CGROUP / used).read_text())  # "max" is no number
            lines = (line.split() for line in (CGROUP / statistics).read_text().splitlines())
            files = sum(int(value) for name, value in lines if name in ("inactive_file", "total_inactive_file"))
        except (OSError, ValueError):
            continue
        found.append(max(0, most - now + min(files, now)))
    return min(found)


def hardware_name() -> str:
    """This machine's processor and GPUs by name: what timings of one kind of machine are kept under."""
    name = platform.processor() or platform.machine()
    with suppress(OSError):
        lines = CPUINFO.read_text().splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    return " + ".join([name, *gpu_names()])


def gpu_names() -> list[str]:
    """The NVIDIA GPUs that processes here may use, as the driver names them, without asking torch."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return []
    found = []
    for file in sorted(NVIDIA.glob("*/information")):
        with suppress(OSError):
            lines = file.read_text().splitlines()
            found += [line.partition(":")[2].strip() for line in lines if line.startswith("Model:")]
    return found
