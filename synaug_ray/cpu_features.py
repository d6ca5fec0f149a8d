"""What this machine's CPU multiplies in hardware, as far as the operating system tells."""

from __future__ import annotations

import platform
from pathlib import Path

from synaug_ray.spec import GridSpec

CPUINFO = Path("/proc/cpuinfo")
BF16 = {"amx_bf16", "avx512_bf16", "bf16"}  # Intel's matrix unit; Intel's and AMD's vectors; ARM


def precision_cautions(spec: GridSpec) -> list[str]:
    """What a grid's number formats mean on this machine's CPU; a cluster's may be others, and GPUs have bf16.

    Emulated, a step of the EDM networks at 16 and 28 pixels took 8 to 14 times as long as in fp32 and one of the small
    CNN 10 times (AMD EPYC with AVX2, one thread, torch 2.14); with AMX convolutions ran about 4 times as fast.
    """
    flags, formats = _flags(), spec.precisions()
    if flags is None:
        return []
    if formats["bf16"] and not flags & BF16:
        return [f"{', '.join(formats['bf16'])}: bf16, which this machine's CPU has to emulate, some ten times slower "
                "than fp32. Where there is no GPU either, say precision=fp32"]
    if formats["fp32"] and "amx_bf16" in flags:
        return ["this machine's CPU multiplies bf16 in hardware: precision=bf16 makes convolutions up to four times as "
                "fast, and is another experiment with steps of its own"]
    return []


def bf16_in_hardware() -> bool | None:
    """Whether this machine's CPU multiplies bf16; None where the operating system does not tell."""
    flags = _flags()
    return None if flags is None else bool(flags & BF16)


def _flags() -> set[str] | None:
    """Feature names in Linux's spelling; None elsewhere."""
    try:
        text = CPUINFO.read_text()
    except OSError:
        return None
    key = "Features" if platform.machine() in ("aarch64", "arm64") else "flags"
    line = next((line for line in text.splitlines() if line.startswith(key)), None)
    return None if line is None else set(line.partition(":")[2].split())
