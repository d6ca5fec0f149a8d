"""Laws of one analysis: the curve of each classifier, and each study's cells, laws and exchange rates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from synaug_ray.analysis.cell_noise import CellUncertainty
from synaug_ray.analysis.cells import cells_of
from synaug_ray.analysis.exchange import OPPOSED, exchange, not_estimable, opposed
from synaug_ray.analysis.paired_cells import StudyKey, Table
from synaug_ray.analysis.prediction_grid import surface
from synaug_ray.analysis.real_only import as_estimate, describe
from synaug_ray.analysis.results import Cell, CurvePoint, Exchange, PrimaryLaw, RealCurve, Study
from synaug_ray.common.text import first_few
from synaug_ray.laws.alternatives import j2, j3
from synaug_ray.laws.averaging import WeightedLaw, average, refit_law
from synaug_ray.laws.curves import CURVES_BY_NAME, CurveForm
from synaug_ray.laws.equivalence import BY_NAME, EquivalenceForm, reported
from synaug_ray.laws.joint import (
    JointData,
    predict_log_error,
    split,
)
from synaug_ray.laws.results import Estimate, HeldOut, LawFit
from synaug_ray.laws.selection import (
    LEAST_SIZES,
    Candidate,
    HeldOutCells,
    choose,
    development,
    fit_curves,
    fit_forms,
    held_out,
    unseen,
)

RATE_ALWAYS = "real-holdout"  # its check rests on F0, so F0 gets an interval there whichever law is chosen
PRIMARY = "F1"  # the source paper's law, always with an interval, to be held against what it published
MIXED = "mixed"
ALL_SYNTHETIC = "synthetic-only"  # without real images in the batch, no amount does not mean real-only


@dataclass
class StudyFitter:
    """Fits laws to the cells of ``table``; collects what had to be left out in ``warnings``."""

    table: Table
    noises: CellUncertainty
    confidence: float
    warnings: list[str] = field(default_factory=list)
    whole: list[StudyKey] = field(default_factory=list)  # studies that have too little to hold any of it out
    flat: set[str] = field(default_factory=set)  # classifiers whose real-only curve is not shown to fall
    _curves: dict[str, dict[str, Candidate]] = field(default_factory=dict)

    def _data(self, classifier: str, key: StudyKey | None) -> tuple[JointData, np.ndarray, np.ndarray]:
        """Points of one classifier and study, and where its real-only and mixed cells stand among all."""
        table, noises = self.table, self.noises
        real = np.array([i for i, cell in enumerate(table.real) if cell.classifier == classifier])
        real = real[np.argsort([table.real[i].num_real for i in real])]
        mixed = np.array([i for i, cell in enumerate(table.mixed) if cell.study == key], dtype=int)
        sizes = np.array([table.real[i].num_real for i in real], dtype=float)
        base = np.searchsorted(sizes, [table.mixed[i].num_real for i in mixed])
        stand = mixed + len(table.real)
        data = JointData(
            sizes,
            noises.values[real],
            noises.pooled_error[real],
            base,
            np.array([table.mixed[i].multiple for i in mixed]),
            noises.values[stand],
            noises.pooled_error[stand],
            1 - 1 / max(table.num_classes, 2),
            float(np.exp(np.log(sizes).mean())),
            0.5 / table.images,
        )
        return data, real, stand

    def _replicates(self, cells: np.ndarray) -> np.ndarray | None:
        return None if self.noises.replicates is None else self.noises.replicates[:, cells]

    def _flat(self, real: np.ndarray) -> bool:
        """Whether the interval of the error saved between the smallest and the largest size reaches 0."""
        errors = self._replicates(real)
        return errors is not None and bool(np.quantile(errors[:, 0] - errors[:, -1], (1 - self.confidence) / 2) <= 0)

    def real_curve(self, classifier: str) -> RealCurve:
        """The real-only law of one classifier; points only where fewer than three sizes are measured."""
        data, real, _ = self._data(classifier, None)
        measured_at = zip(data.sizes, real, strict=True)
        points = tuple(CurvePoint(float(n), self.noises.estimate(i)) for n, i in measured_at)
        if len(data.sizes) < LEAST_SIZES:
            self.warnings.append(
                f"{classifier}: {len(data.sizes)} real sizes measured, a curve needs {LEAST_SIZES}; no law is fitted."
            )
            return RealCurve(classifier, "", (), points, ())
        if self._flat(real):
            self.flat.add(classifier)
            self.warnings.append(
                f"{classifier}: {data.sizes[-1]:.0f} real images are not shown to be better than {data.sizes[0]:.0f}, "
                "so what a real image is worth, and any exchange rate, is not estimable here."
            )
        self._curves[classifier] = fit_curves(data)
        replicates = self._replicates(real)
        return describe(classifier, data, self._curves[classifier], points, replicates, self.confidence)

    def told(self) -> list[str]:
        """The warnings, with one for all studies that were fitted whole."""
        if not self.whole:
            return self.warnings
        names = ["/".join(key) for key in self.whole]
        return [
            *self.warnings,
            f"{first_few(names, 3)}: too few sizes or amounts to hold any out; laws are chosen on all cells.",
        ]

    def study(self, key: StudyKey) -> Study:
        """Cells, laws and exchange rates of one study. ``real_curve`` of its classifier comes first."""
        data, real, stand = self._data(key.classifier, key)
        replicates = None
        errors, gains = self._replicates(real), self._replicates(stand)
        if errors is not None and gains is not None:
            replicates = (errors, gains)
        of_cells = self.table, self.noises, data, stand, replicates, self.confidence
        if key.classifier not in self._curves:
            return Study(*key, cells_of(*of_cells, np.zeros(len(stand), dtype=bool), None), (), None, ())
        masks = development(data)
        if masks is None:
            self.whole.append(key)
        seen = data if masks is None else data.subset(*masks)
        held = np.zeros(len(stand), dtype=bool) if masks is None else ~masks[1]
        curve, form, seen_candidates = self._choose(seen)
        candidates = fit_forms(data, curve, self._curves[key.classifier][curve.name].fit.theta)
        judged: dict[str, HeldOut] = {}
        if masks is not None:
            judged = held_out(data, masks, seen_candidates, curve, replicates, self.confidence, form.name)
        bootstrapped = {form.name, PRIMARY}
        if self.table.kinds[key.generator].family == RATE_ALWAYS:
            bootstrapped.add("F0")
        found = {name: refit_law(data, curve, candidates[name], replicates) for name in sorted(bootstrapped)}
        known = {name: refitted for name, refitted in found.items() if refitted is not None}
        thetas = {name: theta for name, (theta, _) in known.items()}
        fits = tuple(
            self._law_fit(data, curve, candidate, thetas.get(candidate.name), judged.get(candidate.name))
            for candidate in candidates.values()
        )
        predicted = predict_log_error(candidates[form.name].fit.theta[None], curve, form, data)
        laws = average(data, self._curves[key.classifier], curve, candidates, known, replicates)
        cells = cells_of(*of_cells, held, np.exp(predicted[0, len(data.sizes) :]))
        estimable = key.classifier not in self.flat
        points = [(cell.num_real, cell.num_synthetic) for cell in cells]
        return Study(
            *key,
            cells,
            fits,
            form.name,
            self._exchange(key, cells, laws, data.n0)
            if estimable and laws
            else tuple(not_estimable(*point) for point in points),
            surface=surface(
                laws,
                real_sizes=data.sizes.tolist(),
                cells=points,
                n0=data.n0,
                chance=data.chance,
                confidence=self.confidence,
                estimable=estimable,
            )
            if laws and key.protocol != ALL_SYNTHETIC
            else None,
            rivals=self._rivals(key, data, masks, unseen(data, masks, seen_candidates, curve) if masks else None),
            primary=self._primary(data, curve, candidates[PRIMARY], thetas.get(PRIMARY)),
        )

    def _exchange(
        self, key: StudyKey, cells: tuple[Cell, ...], laws: list[WeightedLaw], n0: float
    ) -> tuple[Exchange, ...]:
        """Exchange rates at the cells; none, and a warning, where a cell was measured to do the laws' opposite."""
        found, against = [], []
        for cell in cells:
            rate = exchange(laws, cell.num_real, cell.num_synthetic, n0, self.confidence)
            if opposed(cell.gain_simultaneous, rate):
                rate = not_estimable(cell.num_real, cell.num_synthetic, OPPOSED)
                against.append(f"{cell.synthetic_multiple:g}x at {cell.num_real}")
            found.append(rate)
        if against:
            self.warnings.append(
                f"{'/'.join(key)}: {', '.join(against)} {'does' if len(against) == 1 else 'do'} the opposite of what "
                "the fitted laws say: no exchange rate is given there, and the calculator, which rests on the laws, "
                "misleads near it."
            )
        return tuple(found)

    def _rivals(
        self, key: StudyKey, data: JointData, masks: tuple[np.ndarray, np.ndarray] | None, cells: HeldOutCells | None
    ) -> tuple[LawFit, ...]:
        """J2, and J3 where synthetic-only cells of the same generator and classifier are there."""
        if key.protocol != MIXED:
            return ()
        found = [j2(data, data if masks is None else data.subset(*masks), cells)]
        pure = StudyKey(key.classifier, key.generator, ALL_SYNTHETIC, "none")
        if any(cell.study == pure for cell in self.table.mixed):
            share = None if key.real_share == "proportional" else float(key.real_share)
            third = j3(data, self._data(key.classifier, pure)[0], share, masks, cells)
            found += [third] if third else []
        return tuple(found)

    def _primary(
        self, data: JointData, curve: CurveForm, candidate: Candidate, thetas: np.ndarray | None
    ) -> PrimaryLaw:
        form = BY_NAME[PRIMARY]

        def named(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            values = reported(form, split(theta, curve, form)[1], data.n0)
            return values["c2"][0][:, 0], values["lambda"][0][:, 0]

        c2, rate = named(candidate.fit.theta[None])
        drawn = None if thetas is None else named(thetas)

        def estimate(value: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Estimate:
            return as_estimate(value(c2, rate)[0], None if drawn is None else value(*drawn), self.confidence)

        return PrimaryLaw(
            estimate(lambda c2, rate: c2),
            estimate(lambda c2, rate: rate),
            tuple(
                (int(n), estimate(lambda c2, rate, n=n: (c2 - 1) * np.exp(np.clip(rate * n, -60, 60))))
                for n in data.sizes[np.unique(data.base)]
            ),
            candidate.fit.status,
        )

    def _choose(self, seen: JointData) -> tuple[CurveForm, EquivalenceForm, dict[str, Candidate]]:
        curve = choose(fit_curves(seen))
        candidates = fit_forms(seen, CURVES_BY_NAME[curve.name], curve.fit.theta)
        return CURVES_BY_NAME[curve.name], BY_NAME[choose(candidates).name], candidates

    def _law_fit(
        self,
        data: JointData,
        curve: CurveForm,
        candidate: Candidate,
        thetas: np.ndarray | None,
        judged: HeldOut | None,
    ) -> LawFit:
        form = BY_NAME[candidate.name]
        point = reported(form, split(candidate.fit.theta[None], curve, form)[1], data.n0)
        drawn = None if thetas is None else reported(form, split(thetas, curve, form)[1], data.n0)
        parameters = {
            name: as_estimate(value[0, 0], None if drawn is None else drawn[name][0][:, 0], self.confidence)
            for name, (value, _) in point.items()
        }
        units = {name: unit for name, (_, unit) in point.items()} | {"n0": f"{data.n0:.6g} real images"}
        residual = predict_log_error(candidate.fit.theta[None], curve, form, data)[0] - data.log_errors()
        return LawFit(
            form.name,
            form.formula,
            form.source,
            parameters,
            units,
            candidate.fit.status,
            candidate.fit.share_of_starts,
            float(np.sqrt((residual**2).mean())),
            candidate.aicc,
            judged,
        )
