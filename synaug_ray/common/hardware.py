"""Number formats that this machine's CPU supports in hardware, as reported by the operating system."""

from __future__ import annotations

import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
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
