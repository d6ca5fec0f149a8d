"""What this machine's CPU multiplies in hardware, as far as the operating system tells."""

from __future__ import annotations

import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
BF16 = {"amx_bf16", "avx512_bf16", "bf16"}  # Intel's matrix unit; Intel's and AMD's vectors; ARM


def bf16_in_hardware() -> bool | None:
    """Whether this machine's CPU multiplies bf16; None where the operating system does not tell."""
    flags = cpu_flags()
    return None if flags is None else bool(flags & BF16)


def cpu_flags() -> set[str] | None:
    """Feature names in Linux's spelling; None elsewhere."""
    try:
        text = CPUINFO.read_text()
    except OSError:
        return None
    key = "Features" if platform.machine() in ("aarch64", "arm64") else "flags"
    line = next((line for line in text.splitlines() if line.startswith(key)), None)
    return None if line is None else set(line.partition(":")[2].split())
