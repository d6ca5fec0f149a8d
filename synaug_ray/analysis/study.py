"""The laws of an analysis: each classifier's curve, and each study's cells, laws and exchange rates."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, replace

import numpy as np

from synaug_ray.analysis.advice.rate_precision import decided_sizes
from synaug_ray.analysis.cells.cell_noise import CellUncertainty
from synaug_ray.analysis.cells.measured_cells import equivalents_of, falls, measured_cells
from synaug_ray.analysis.cells.measured_rates import Slopes, slopes
from synaug_ray.analysis.cells.paired_cells import PairedCells
from synaug_ray.analysis.exchange import exchanges, not_estimable, withheld_at
from synaug_ray.analysis.fitted_law import PRIMARY, law_fit, primary_law
from synaug_ray.analysis.law_check import Checked, check, unseen
from synaug_ray.analysis.mixing import real_weight
from synaug_ray.analysis.prediction_grid import predict_on_grid
from synaug_ray.analysis.real_only import describe, not_shown_to_fall, shape_warnings
from synaug_ray.analysis.results import (
    Cell,
    CurvePoint,
    Exchange,
    PredictionGrid,
    RealCurve,
    Study,
)
from synaug_ray.analysis.study_key import StudyKey
from synaug_ray.analysis.verdict_text import setting
from synaug_ray.common.text import first_few
from synaug_ray.config.protocols import SYNTHETIC_ONLY
from synaug_ray.laws.alternatives import j2, j3
from synaug_ray.laws.averaging import Refit, Replicates, WeightedLaw, average, refit_law
from synaug_ray.laws.covariance import cell_covariance
from synaug_ray.laws.curves import CURVES_BY_NAME, CurveForm
from synaug_ray.laws.equivalence import BY_NAME, EquivalenceForm
from synaug_ray.laws.joint import JointData, predict_log_error
from synaug_ray.laws.results import HeldOut, LawFit
from synaug_ray.laws.selection import (
    LEAST_SIZES,
    Candidate,
    HeldOutCells,
    choose,
    development,
    fit_curves,
    fit_forms,
    held_out_cells,
    judge_forms,
)

RATE_ALWAYS = "real-holdout"  # this control is checked by F0, which therefore gets an interval whatever law is chosen
MIXED = "mixed"


def _named(key: StudyKey) -> str:
    """A study in words."""
    return f"{key.generator} with {key.classifier} ({setting(key.real_share, key.protocol)})"


@dataclass
class StudyFitter:
    """Fits laws to ``cells``; ``warnings`` says what could not be fitted or estimated."""

    cells: PairedCells
    uncertainty: CellUncertainty
    confidence: float
    warnings: list[str] = field(default_factory=list)
    misfits: dict[StudyKey, Checked] = field(default_factory=dict)  # of the studies that no law describes
    nothing_held_out: list[StudyKey] = field(default_factory=list)  # studies with too few cells to hold any out
    flat: set[str] = field(default_factory=set)  # classifiers whose real-only curve is not shown to fall
    _curves: dict[str, dict[str, Candidate]] = field(default_factory=dict)

    def _data(self, classifier: str, key: StudyKey | None) -> tuple[JointData, np.ndarray, np.ndarray]:
        """The cells of one classifier and study as points of a fit, and their indices among all cells."""
        cells, uncertainty = self.cells, self.uncertainty
        real = np.array([i for i, cell in enumerate(cells.real) if cell.classifier == classifier])
        real = real[np.argsort([cells.real[i].num_real for i in real])]
        mixed = np.array([i for i, cell in enumerate(cells.mixed) if cell.study == key], dtype=int)
        sizes = np.array([cells.real[i].num_real for i in real], dtype=float)
        base = np.searchsorted(sizes, [cells.mixed[i].num_real for i in mixed])
        positions = mixed + len(cells.real)
        of_study = np.concatenate([real, positions])
        data = JointData(
            sizes=sizes,
            real=uncertainty.values[real],
            real_error=uncertainty.pooled_error[real],
            base=base,
            s=np.array([cells.mixed[i].multiple for i in mixed]),
            gains=uncertainty.values[positions],
            gain_error=uncertainty.pooled_error[positions],
            chance=1 - 1 / max(cells.num_classes, 2),
            n0=float(np.exp(np.log(sizes).mean())),
            # half a wrong answer in all trials of a cell
            least_error=0.5 / (cells.images * cells.synthetic_draws * len(cells.seeds)),
            covariance=cell_covariance(
                uncertainty.parts.take(of_study),
                (uncertainty.pooled_error**2 - uncertainty.image_variance)[of_study],
                base,
                len(sizes),
            ),
        )
        return data, real, positions

    def _replicates(self, cells: np.ndarray) -> np.ndarray | None:
        return None if self.uncertainty.replicates is None else self.uncertainty.replicates[:, cells]

    def _flat(self, real: np.ndarray) -> bool:
        """Whether the interval of the error difference between the smallest and the largest size includes 0."""
        errors = self._replicates(real)
        return errors is not None and bool(np.quantile(errors[:, 0] - errors[:, -1], (1 - self.confidence) / 2) <= 0)

    def real_curve(self, classifier: str) -> RealCurve:
        """The real-only law of one classifier; with fewer than three sizes, only the measured points."""
        data, real, _ = self._data(classifier, None)
        measured_at = zip(data.sizes, real, strict=True)
        points = tuple(CurvePoint(float(n), self.uncertainty.estimate(i)) for n, i in measured_at)
        if len(data.sizes) < LEAST_SIZES:
            self.warnings.append(
                f"{classifier}: only {len(data.sizes)} numbers of real images were measured, and a curve needs "
                f"{LEAST_SIZES}: no law is fitted, so there are no exchange rates, no calculator and no predictions. "
                "Add more to num_real."
            )
            return RealCurve(classifier, chosen="", fits=(), points=points, line=())
        if self._flat(real):
            self.flat.add(classifier)
            self.warnings.append(not_shown_to_fall(classifier, data, len(self.cells.draws)))
        self._curves[classifier] = fit_curves(data)
        replicates = self._replicates(real)
        self.warnings += shape_warnings(classifier, data.sizes, replicates, self.confidence)
        return describe(classifier, data, self._curves[classifier], points, replicates, self.confidence)

    def all_warnings(self) -> list[str]:
        """The warnings so far, and one each about all studies that no law describes, and all without held-out cells."""
        found = [*self.warnings, *self._misfit_warning()]
        if not self.nothing_held_out:
            return found
        names = [_named(key) for key in self.nothing_held_out]
        of = "" if len(names) == len({cell.study for cell in self.cells.mixed}) else f" of {first_few(names, 3)}"
        return [
            *found,
            f"Too few sizes or amounts to test the fitted laws{of} on held-out measurements. Give at least four "
            "numbers of real images and three amounts, or take the curves as rough.",
        ]

    def _misfit_warning(self) -> list[str]:
        if not self.misfits:
            return []
        names = [_named(key) for key in self.misfits]
        rest = "exchange rates are from the cells alone, and between the cells the calculator interpolates."
        if len(names) == 1:
            return [f"{names[0]}: {next(iter(self.misfits.values())).misfit}: {rest}"]
        times = [checked.lack.overdispersion**0.5 for checked in self.misfits.values()]
        return [
            f"No fitted law describes the measurements of {len(names)} studies (the misfits are {min(times):.1f} to "
            f"{max(times):.1f} times what noise explains): {first_few(names, 3)}. There, {rest}"
        ]

    def study(self, key: StudyKey) -> Study:
        """Cells, laws and exchange rates of one study; ``real_curve`` of its classifier must be called first."""
        data, real, positions = self._data(key.classifier, key)
        errors, gains = self._replicates(real), self._replicates(positions)
        replicates = None if errors is None or gains is None else (errors, gains)
        worth = equivalents_of(data, replicates)
        measured = functools.partial(
            measured_cells, self.cells, self.uncertainty, data, positions, worth, self.confidence
        )
        if key.classifier not in self._curves or worth is None:
            return Study(*key, cells=measured(np.zeros(len(positions), dtype=bool), None), fits=(), chosen=None,
                         exchange=())  # fmt: skip
        masks = development(data)
        if masks is None:
            self.nothing_held_out.append(key)
        curve, form, seen_candidates = self._choose(data if masks is None else data.subset(*masks))
        candidates = fit_forms(data, curve, self._curves[key.classifier][curve.name].fit.theta)
        judged: dict[str, HeldOut] = {}
        if masks is not None:
            judged = judge_forms(data, masks, seen_candidates, curve, replicates, self.confidence, form.name)
        refits = self._refits(key, data, curve, form, candidates, replicates)
        thetas = {name: theta for name, (theta, _) in refits.items()}
        fits = tuple(
            law_fit(data, curve, candidate, thetas.get(candidate.name), judged.get(candidate.name), self.confidence)
            for candidate in candidates.values()
        )
        predicted = predict_log_error(candidates[form.name].fit.theta[None], curve, form, data)
        held = np.zeros(len(positions), dtype=bool) if masks is None else ~masks[1]
        cells = measured(held, np.exp(predicted[0, len(data.sizes) :]))
        laws = average(data, self._curves[key.classifier], curve, candidates, refits, replicates)
        unseen_cells = held_out_cells(data, masks, seen_candidates, curve) if masks else None
        held_out = unseen(data, masks, curve, seen_candidates, unseen_cells) if masks and unseen_cells else None
        steep = slopes(data.sizes[data.base], np.array([float(cell.num_synthetic) for cell in cells]), *worth)
        drawn = int(self.uncertainty.draws[positions].max())
        checked = check(data, laws, drawn, worth, steep, held_out) if laws else None
        rates = self._exchange(key, cells, laws, data.n0, steep, checked)
        grid = self._prediction_grid(key, data, cells, laws, checked)
        return Study(
            *key,
            cells=cells,
            fits=fits,
            chosen=form.name,
            exchange=rates,
            surface=replace(grid, withheld=withheld_at(rates)) if grid else None,
            rivals=self._alternatives(key, data, masks, unseen_cells),
            primary=primary_law(data, curve, candidates[PRIMARY], thetas.get(PRIMARY), self.confidence),
            misfit=checked.misfit if checked else "",
            overdispersion=checked.lack.overdispersion if checked else None,
            held_out=held_out.judged if held_out else None,
        )

    def _refits(
        self,
        key: StudyKey,
        data: JointData,
        curve: CurveForm,
        form: EquivalenceForm,
        candidates: dict[str, Candidate],
        replicates: Replicates | None,
    ) -> dict[str, Refit]:
        """Refits of the laws that get intervals to all replicates; empty without replicates."""
        names = {form.name, PRIMARY}
        if self.cells.kinds[key.generator].family == RATE_ALWAYS:
            names.add("F0")
        found = {name: refit_law(data, curve, candidates[name], replicates) for name in sorted(names)}
        return {name: refitted for name, refitted in found.items() if refitted is not None}

    def _prediction_grid(
        self, key: StudyKey, data: JointData, cells: tuple[Cell, ...], laws: list[WeightedLaw], checked: Checked | None
    ) -> PredictionGrid | None:
        """None without a usable law, and for synthetic-only training, where zero images is not real-only training."""
        if not laws or key.protocol == SYNTHETIC_ONLY:
            return None
        return predict_on_grid(
            laws,
            real_sizes=data.sizes.tolist(),
            cells=[(cell.num_real, cell.num_synthetic) for cell in cells],
            n0=data.n0,
            chance=data.chance,
            confidence=self.confidence,
            estimable=key.classifier not in self.flat,
            anchor=checked.anchor if checked else None,
            misfit=checked.misfit if checked else "",
            falls=falls(cells),
            decided=decided_sizes(cells),
        )

    def _exchange(
        self,
        key: StudyKey,
        cells: tuple[Cell, ...],
        laws: list[WeightedLaw],
        n0: float,
        steep: dict[tuple[float, float], Slopes],
        checked: Checked | None,
    ) -> tuple[Exchange, ...]:
        if key.classifier in self.flat or checked is None:
            return tuple(not_estimable(cell.num_real, cell.num_synthetic) for cell in cells)
        if checked.misfit:
            self.misfits[key] = checked
        found, warnings = exchanges(cells, laws, n0, self.confidence, steep, checked.misfit)
        self.warnings += [f"{_named(key)}: {warning}" for warning in warnings]
        return found

    def _alternatives(
        self, key: StudyKey, data: JointData, masks: tuple[np.ndarray, np.ndarray] | None, cells: HeldOutCells | None
    ) -> tuple[LawFit, ...]:
        """J2, and J3 if there are synthetic-only cells of the same generator and classifier."""
        if key.protocol != MIXED:
            return ()
        found = [j2(data, data if masks is None else data.subset(*masks), cells)]
        pure = StudyKey(key.classifier, key.generator, SYNTHETIC_ONLY, "none")
        if any(cell.study == pure for cell in self.cells.mixed):
            synthetic = self._data(key.classifier, pure)[0]
            third = j3(data, synthetic, real_weight(key.real_share), masks, cells)
            found += [third] if third else []
        return tuple(found)

    def _choose(self, seen: JointData) -> tuple[CurveForm, EquivalenceForm, dict[str, Candidate]]:
        curve = choose(fit_curves(seen))
        candidates = fit_forms(seen, CURVES_BY_NAME[curve.name], curve.fit.theta)
        return CURVES_BY_NAME[curve.name], BY_NAME[choose(candidates).name], candidates
