"""This machine as the operating system reports it: CPU features, free memory, names of processor and GPUs."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from pathlib import Path

import psutil

CPUINFO = Path("/proc/cpuinfo")
NVIDIA = Path("/proc/driver/nvidia/gpus")
BF16 = {"amx_bf16", "avx512_bf16", "bf16"}  # Intel's matrix unit; Intel's and AMD's vector units; ARM


def bf16_in_hardware() -> bool | None:
    """Whether this machine's CPU supports bf16 in hardware; None if the operating system does not say."""
    flags = cpu_flags()
    return None if flags is None else bool(flags & BF16)


def cpu_flags() -> set[str] | None:
    """The CPU's feature flags from /proc/cpuinfo; None on systems other than Linux."""
    try:
        text = CPUINFO.read_text()
    except OSError:
        return None
    key = "Features" if platform.machine() in ("aarch64", "arm64") else "flags"
    line = next((line for line in text.splitlines() if line.startswith(key)), None)
    return None if line is None else set(line.partition(":")[2].split())


CGROUPS = (  # limit, usage, and the statistics with the reclaimable page cache (inactive_file); cgroups v2 and v1
    ("memory.max", "memory.current", "memory.stat"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat"),
)
CGROUP = Path("/sys/fs/cgroup")


def free_memory() -> int:
    """Bytes of memory that this process can still allocate: the machine's, or its container's if that is less."""
    found = [psutil.virtual_memory().available]
    for limit, used, statistics in CGROUPS:
        try:
            most, now = int((CGROUP / limit).read_text()), int((CGROUP / used).read_text())  # ValueError for "max"
            lines = (line.split() for line in (CGROUP / statistics).read_text().splitlines())
            files = sum(int(value) for name, value in lines if name in ("inactive_file", "total_inactive_file"))
        except (OSError, ValueError):
            continue
        found.append(max(0, most - now + min(files, now)))
    return min(found)


def hardware_name() -> str:
    """The names of this machine's processor and GPUs; timings are cached under this name."""
    name = platform.processor() or platform.machine()
    with suppress(OSError):
        lines = CPUINFO.read_text().splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    return " + ".join([name, *gpu_names()])


def gpu_names() -> list[str]:
    """Names of the NVIDIA GPUs visible to this process, from the driver: importing torch would take seconds."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return []
    found = []
    for file in sorted(NVIDIA.glob("*/information")):
        with suppress(OSError):
            lines = file.read_text().splitlines()
            found += [line.partition(":")[2].strip() for line in lines if line.startswith("Model:")]
    return found
