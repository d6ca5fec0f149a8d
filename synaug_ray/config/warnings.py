"""What a grid will not be able to say, or will do slowly: no reason not to run it."""

from __future__ import annotations

from synaug_ray.common.hardware import BF16, cpu_flags
from synaug_ray.config.spec import GridSpec


def cautions(spec: GridSpec) -> list[str]:
    """What this grid will not be able to say; no reason not to run it."""
    found = []
    sizes = len({n for factors in spec.products() for n in factors.num_real})
    if sizes < 4:
        found.append(f"{sizes} sizes of num_real do not make a scaling law that can be tested; give four or more")
    if not any(multiple for factors in spec.products() for multiple in factors.synthetic_multiples):
        found.append("synthetic_multiples holds no amount but 0, so no synthetic image is measured; give others too")
    found += [
        f"generators: {name} was trained elsewhere, on images that are not this set's: verdicts call it open-set"
        for name in dict.fromkeys(
            g.name for factors in spec.products() for g in factors.generators if g.family == "pretrained"
        )
    ]
    if spec.draws == 1:
        found.append("draws: 1 gives no interval and no verdict; give six or more")
    elif spec.draws < 5:
        found.append(f"draws: {spec.draws} gives wide intervals that rest on an assumption; six or more are better")
    return found


def precision_cautions(spec: GridSpec) -> list[str]:
    """What a grid's number formats mean on this machine's CPU; a cluster's may be others, and GPUs have bf16.

    Emulated, a step of the EDM networks at 16 and 28 pixels took 8 to 14 times as long as in fp32 and one of the small
    CNN 10 times (AMD EPYC with AVX2, one thread, torch 2.14); with AMX convolutions ran about 4 times as fast.
    """
    flags, formats = cpu_flags(), spec.precisions()
    if flags is None:
        return []
    if formats["bf16"] and not flags & BF16:
        return [
            f"{', '.join(formats['bf16'])}: bf16, which this machine's CPU has to emulate, some ten times slower "
            "than fp32. Where there is no GPU either, say precision=fp32"
        ]
    if formats["fp32"] and "amx_bf16" in flags:
        return [
            "this machine's CPU multiplies bf16 in hardware: precision=bf16 makes convolutions up to four times as "
            "fast, and is another experiment with steps of its own"
        ]
    return []
