"""The measured cells of one study as results, with their real-equivalents free of any law."""

from __future__ import annotations

import numpy as np

from synaug_ray.analysis import empirical
from synaug_ray.analysis.cell_noise import CellUncertainty
from synaug_ray.analysis.paired_cells import Table
from synaug_ray.analysis.results import Cell, Censoring
from synaug_ray.laws.joint import JointData
from synaug_ray.laws.results import Estimate


def cells_of(
    table: Table,
    noises: CellUncertainty,
    data: JointData,
    stand: np.ndarray,
    replicates: tuple[np.ndarray, np.ndarray] | None,
    confidence: float,
    held: np.ndarray,
    predicted: np.ndarray | None,
) -> tuple[Cell, ...]:
    """``stand`` [C] is where the cells stand among all; ``replicates`` are errors [B, k] and gains [B, C]."""
    base_n = data.sizes[data.base]
    several = len(data.sizes) > 1
    samples = None
    if several and replicates is not None:
        samples = np.stack(
            [empirical.equivalents(data.sizes, np.maximum(e, 0), base_n, g) for e, g in zip(*replicates, strict=True)]
        )
    point = empirical.equivalents(data.sizes, data.real, base_n, data.gains) if several else None
    out = []
    for i, position in enumerate(stand):
        mixed = int(position) - len(table.real)
        cell = table.mixed[mixed]
        equivalent, censoring = Estimate(None), Censoring.NONE
        if point is not None:
            own = None if samples is None else samples[:, i]
            equivalent, censoring = empirical.equivalent_estimate(
                float(point[i]), own, cell.num_real, data.sizes, confidence
            )
        value = float(np.nanmean(cell.errors @ table.image_weights))
        out.append(
            Cell(
                cell.num_real,
                cell.num_synthetic,
                cell.multiple,
                cell.trials,
                noises.mixed_error(mixed, value),
                noises.estimate(position),
                noises.simultaneous(position, mixed),
                equivalent,
                censoring,
                bool(held[i]),
                None if predicted is None else float(predicted[i]),
            )
        )
    return tuple(out)
