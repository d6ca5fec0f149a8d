"""Laws of one analysis: the curve of each classifier, and each study's cells, laws and exchange rates."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from synaug_ray.laws import measured
from synaug_ray.laws.curves import CurveForm
from synaug_ray.laws.equivalence import BY_NAME, EquivalenceForm, reported
from synaug_ray.laws.exchange import WeightedLaw, exchange
from synaug_ray.laws.fitting import refit
from synaug_ray.laws.joint import (
    JointData,
    joint_model,
    joint_parameters,
    predict_log_error,
    split,
)
from synaug_ray.laws.noise import CellNoises
from synaug_ray.laws.real_curves import CURVES_BY_NAME, as_estimate, describe
from synaug_ray.laws.results import (
    Cell,
    Censoring,
    CurvePoint,
    Estimate,
    Exchange,
    FitStatus,
    HeldOut,
    LawFit,
    RealCurve,
    Study,
)
from synaug_ray.laws.selection import (
    LEAST_SIZES,
    Candidate,
    akaike_weights,
    choose,
    development,
    fit_curves,
    fit_forms,
    held_out,
)
from synaug_ray.laws.table import StudyKey, Table

RATE_ALWAYS = "real-holdout"  # its check rests on F0, so F0 gets an interval there whichever law is chosen


@dataclass
class Laboratory:
    """Fits laws to the cells of ``table``; collects what had to be left out in ``warnings``."""

    table: Table
    noises: CellNoises
    confidence: float
    warnings: list[str] = field(default_factory=list)
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
            noises.error[real],
            base,
            np.array([table.mixed[i].multiple for i in mixed]),
            noises.values[stand],
            noises.error[stand],
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
        return errors is not None and bool(
            np.quantile(errors[:, 0] - errors[:, -1], (1 - self.confidence) / 2) <= 0
        )

    def real_curve(self, classifier: str) -> RealCurve:
        """The real-only law of one classifier; points only where fewer than three sizes are measured."""
        data, real, _ = self._data(classifier, None)
        measured_at = zip(data.sizes, real, strict=True)
        points = tuple(CurvePoint(float(n), self.noises.estimate(i)) for n, i in measured_at)
        if len(data.sizes) < LEAST_SIZES:
            self.warnings.append(
                f"{classifier}: {len(data.sizes)} real sizes measured, a curve needs "
                f"{LEAST_SIZES}; no law is fitted."
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

    def study(self, key: StudyKey) -> Study:
        """Cells, laws and exchange rates of one study. ``real_curve`` of its classifier comes first."""
        data, real, stand = self._data(key.classifier, key)
        if key.classifier not in self._curves:
            return Study(
                *key,
                self._cells(key, data, real, stand, np.zeros(len(stand), dtype=bool), None),
                (),
                None,
                (),
            )
        masks = development(data)
        label = "/".join(key)
        if masks is None:
            self.warnings.append(
                f"{label}: too few sizes or amounts to hold any out; the law is chosen on all cells."
            )
            seen, held = data, np.zeros(len(stand), dtype=bool)
        else:
            seen, held = data.subset(*masks), ~masks[1]
        curve, form, seen_candidates = self._choose(seen)
        candidates = fit_forms(data, curve, self._curves[key.classifier][curve.name].fit.theta)
        judged: dict[str, HeldOut] = {}
        replicates = None
        errors, gains = self._replicates(real), self._replicates(stand)
        if errors is not None and gains is not None:
            replicates = (errors, gains)
        if masks is not None:
            judged = held_out(data, masks, seen_candidates, curve, replicates, self.confidence, form.name)
        bootstrapped = {form.name} | ({"F0"} if self.table.kinds[key.generator].family == RATE_ALWAYS else set())
        thetas = {
            name: self._refit(data, curve, BY_NAME[name], candidates[name], replicates)
            for name in bootstrapped
        }
        fits = tuple(
            self._law_fit(data, curve, candidate, thetas.get(candidate.name), judged.get(candidate.name))
            for candidate in candidates.values()
        )
        chosen = candidates[form.name]
        predicted = np.exp(predict_log_error(chosen.fit.theta[None], curve, form, data)[0, len(data.sizes) :])
        rates = self._exchanges(key, data, curve, candidates, replicates)
        return Study(*key, self._cells(key, data, real, stand, held, predicted), fits, form.name, rates)

    def _choose(self, seen: JointData) -> tuple[CurveForm, EquivalenceForm, dict[str, Candidate]]:
        curve = choose(list(fit_curves(seen).values()))
        candidates = fit_forms(seen, CURVES_BY_NAME[curve.name], curve.fit.theta)
        return CURVES_BY_NAME[curve.name], BY_NAME[choose(list(candidates.values())).name], candidates

    def _refit(
        self,
        data: JointData,
        curve: CurveForm,
        form: EquivalenceForm,
        candidate: Candidate,
        replicates: tuple[np.ndarray, np.ndarray] | None,
    ) -> np.ndarray | None:
        if replicates is None or candidate.fit.status is FitStatus.FAILED:
            return None
        return refit(
            joint_model(curve, form, data),
            candidate.fit,
            data.targets(*replicates),
            data.sigma,
            joint_parameters(curve, form),
        )

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

    def _exchanges(
        self,
        key: StudyKey,
        data: JointData,
        curve: CurveForm,
        candidates: dict[str, Candidate],
        replicates: tuple[np.ndarray, np.ndarray] | None,
    ) -> tuple[Exchange, ...]:
        """Averaged over laws: each law refits a share of the replicates as large as its weight."""
        if key.classifier in self.flat:
            nothing, note = Estimate(None), "not estimable: more real images are not shown to help"
            return tuple(
                Exchange(cell.num_real, cell.num_synthetic, nothing, nothing, True, None, note)
                for cell in self.table.mixed
                if cell.study == key
            )
        weights = akaike_weights(list(candidates.values()))
        laws, start = [], 0.0
        for name, weight in weights.items():
            form, candidate = BY_NAME[name], candidates[name]
            own = None
            if replicates is not None:
                count = len(replicates[0])
                rows = slice(round(start * count), round((start + weight) * count))
                start += weight
                own = self._refit(data, curve, form, candidate, (replicates[0][rows], replicates[1][rows]))
            laws.append(
                WeightedLaw(
                    form,
                    weight,
                    split(candidate.fit.theta[None], curve, form)[1],
                    None if own is None else split(own, curve, form)[1],
                )
            )
        return tuple(
            exchange(laws, cell.num_real, cell.num_synthetic, data.n0, self.confidence)
            for cell in self.table.mixed
            if cell.study == key
        )

    def _cells(
        self,
        key: StudyKey,
        data: JointData,
        real: np.ndarray,
        stand: np.ndarray,
        held: np.ndarray,
        predicted: np.ndarray | None,
    ) -> tuple[Cell, ...]:
        base_n = data.sizes[data.base]
        errors, gains = self._replicates(real), self._replicates(stand)
        several = len(data.sizes) > 1
        samples = None
        if several and errors is not None and gains is not None:
            samples = np.stack(
                [
                    measured.equivalents(data.sizes, np.maximum(e, 0), base_n, g)
                    for e, g in zip(errors, gains, strict=True)
                ]
            )
        point = measured.equivalents(data.sizes, data.real, base_n, data.gains) if several else None
        out = []
        for i, position in enumerate(stand):
            cell = self.table.mixed[position - len(self.table.real)]
            equivalent, censoring = Estimate(None), Censoring.NONE
            if point is not None:
                equivalent, censoring = measured.equivalent_estimate(
                    float(point[i]),
                    None if samples is None else samples[:, i],
                    cell.num_real,
                    data.sizes,
                    self.confidence,
                )
            value = float(np.nanmean(cell.errors @ self.table.image_weights))
            mixed = int(position) - len(self.table.real)
            out.append(
                Cell(
                    cell.num_real,
                    cell.num_synthetic,
                    cell.multiple,
                    cell.trials,
                    self.noises.mixed_error(mixed, value),
                    self.noises.estimate(position),
                    self.noises.simultaneous(position, mixed),
                    equivalent,
                    censoring,
                    bool(held[i]),
                    None if predicted is None else float(predicted[i]),
                )
            )
        return tuple(out)
