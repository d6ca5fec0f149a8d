"""``python -m synaug_ray.predict RUN``: expected errors at other numbers of images, and the cheapest mix."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import sys
from collections.abc import Sequence
from typing import Any

from synaug_ray.analysis.calculator import Answer, Costs, Expectation, cheapest, expectation
from synaug_ray.analysis.generators import CONTROLS
from synaug_ray.analysis.more_real import Known, more_real
from synaug_ray.analysis.prediction_text import (
    chance_sentences,
    cost_sentence,
    expectation_sentences,
    plan_sentences,
    study_title,
    why_unknown,
)
from synaug_ray.analysis.real_needed import real_needed
from synaug_ray.analysis.recommendation import Recommendation, recommendations, unknown_mix
from synaug_ray.common.cli import ended, tell
from synaug_ray.common.errors import DONE, FAILED_CELLS, STORAGE, Problem, UsageProblem, collect_problems, did_you_mean
from synaug_ray.laws.results import Estimate
from synaug_ray.report.run_view import NoRunError, read

STUDY = ("generator", "classifier", "protocol", "real_share")


class NothingFittedProblem(Problem):
    """The run has no fitted laws to predict from (yet)."""

    exit_code = FAILED_CELLS
    code = "nothing-fitted"


class UnreadableLawsProblem(Problem):
    """laws.json exists, but cannot be read."""

    exit_code = STORAGE
    code = "run-damaged"


@dataclasses.dataclass(frozen=True)
class Question:
    """What to predict: a point, the cheapest mix for a target error, or both."""

    num_real: int | None
    num_synthetic: int
    target: float | None
    costs: Costs
    priced: bool = False  # any price was given
    penalty: float | None = None  # of missing the target


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, call, print; returns the exit code (see ``synaug_ray.common.errors``)."""
    args = _parser().parse_args(argv)
    try:
        question, (laws, verdicts) = collect_problems(lambda: _question(args), lambda: _laws(args.run))
        studies = _studies(laws, args)
    except Problem as problem:
        return tell(problem)
    answers = [(study, *_answer(study, question), _judged(study, laws, verdicts)) for study in studies]
    if args.json:
        print(json.dumps([_plain(*answer, question) for answer in answers], indent=2, allow_nan=False))
        return DONE
    for study, point, mix, found in answers:
        lines = _expected(study, laws, point) if point else []
        if point and question.priced:
            lines.append(cost_sentence(study.get("generation", []), question.costs, point))
        helps = more_real(laws, study["classifier"], study["surface"]["measured_real_only"][1]).known is Known.HELPS
        if mix and question.target:
            lines += plan_sentences(mix, question.target, question.costs, found, helps)
        if question.target:
            lines += chance_sentences(
                study["surface"], question.target, question.costs, question.num_real, question.penalty, helps
            )
        print("\n  ".join([study_title(study) + ":", *lines]))
    if laws.get("draws", 0) < 5:
        print(f"note: from {laws.get('draws', 0)} draws; with fewer than five, intervals are only a rough guide.")
    return DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m synaug_ray.predict",
        allow_abbrev=False,
        description="The expected error at other numbers of real and synthetic images, and the cheapest mix.",
        epilog="exit codes: 0 answered, also if the answer is not estimable, 2 command line, "
        "4 no laws fitted yet, 5 laws.json cannot be read",
    )
    parser.add_argument("run", metavar="RUN", help="path or URL of a run's folder, <storage>/<run>")
    parser.add_argument("--real", metavar="N", help="real images")
    parser.add_argument("--synthetic", metavar="S", help="synthetic images; default 0")
    parser.add_argument("--target-error", metavar="E", help="the error to reach: 0.08 or 8%%")
    parser.add_argument("--cost-real", metavar="A", help="cost of collecting and labelling one real image")
    parser.add_argument("--cost-synthetic", metavar="B", help="cost of one synthetic image besides its computation")
    parser.add_argument("--cost-core-hour", metavar="C", help="cost of an hour of a core (or GPU) for generation")
    parser.add_argument("--have", metavar="N", help="real images already owned; default 0")
    parser.add_argument("--penalty", metavar="P", help="cost of missing the target error")
    for name in STUDY:
        parser.add_argument("--" + name.replace("_", "-"), metavar="NAME", help="select one of several studies")
    parser.add_argument(
        "--json", action="store_true", help="print the numbers as JSON; errors as fractions, null where not estimable"
    )
    return parser


def _question(args: argparse.Namespace) -> Question:
    wrong: list[str] = []

    def number(name: str, text: str | None) -> float | None:
        if text is None:
            return None
        try:
            value = float(text.rstrip("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            wrong.append(f"{name} {text!r} is not a number")
            return None
        return value

    def images(name: str, text: str | None, least: int) -> int | None:
        value = number(name, text)
        if value is None:
            return None
        if value != int(value) or value < least:
            wrong.append(f"{name} must be an integer >= {least}, got {text}")
            return None
        return int(value)

    def price(name: str, text: str | None) -> float | None:
        value = number(name, text)
        if value is not None and value < 0:
            wrong.append(f"{name} must not be negative, got {text}")
        return value

    num_real, num_synthetic = images("--real", args.real, 1), images("--synthetic", args.synthetic, 0)
    have, target = images("--have", args.have, 0), number("--target-error", args.target_error)
    real, synthetic = price("--cost-real", args.cost_real), price("--cost-synthetic", args.cost_synthetic)
    core_hour, penalty = price("--cost-core-hour", args.cost_core_hour), price("--penalty", args.penalty)
    if target is not None and not 0 < target < 1:
        meant = f"; did you mean {args.target_error}%?" if 1 <= target < 100 else ""
        wrong.append(f"--target-error is a fraction between 0 and 1, or a percentage, got {args.target_error}{meant}")
    if args.real is None and args.target_error is None:
        wrong.append("give --real N (and --synthetic S), or --target-error E (with its costs), or both")
    if args.real is None and args.synthetic is not None:
        wrong.append("--synthetic needs --real N")
    priced = {"--cost-real": args.cost_real, "--cost-synthetic": args.cost_synthetic}
    given = priced | {"--cost-core-hour": args.cost_core_hour}
    if args.target_error is not None:
        # what a synthetic image costs is its computing, where that alone is priced
        needed = ["--cost-real"] if args.cost_core_hour is not None else list(priced)
        needed = needed if any(text is not None for text in given.values()) else []  # the chances alone need no price
        wrong += [f"--target-error needs {name}, in any currency" for name in needed if priced[name] is None]
    elif args.real is None:
        owned = given | {"--have": args.have}
        wrong += [f"{name} needs --real N or --target-error E" for name, text in owned.items() if text is not None]
    elif args.have is not None and args.cost_real is None:
        wrong.append("--have needs --cost-real, or --target-error")
    if args.penalty is not None and (args.target_error is None or args.cost_real is None):
        wrong.append("--penalty needs --target-error and --cost-real")
    if wrong:
        raise UsageProblem(wrong)
    costs = Costs(real or 0.0, synthetic or 0.0, core_hour or 0.0, have or 0)
    return Question(
        num_real, num_synthetic or 0, target, costs, any(text is not None for text in given.values()), penalty
    )


def _laws(run: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """laws.json, and the verdicts of verdict.json."""
    try:
        view = read(run, images=False)
    except NoRunError as error:
        raise UsageProblem(str(error)) from error
    if view.laws is None:
        broken = [problem for problem in view.problems if problem.startswith("laws.json")]
        if broken:
            raise UnreadableLawsProblem(broken)
        raise NothingFittedProblem(f"{run} has no laws.json yet: no cell is finished yet; run the grid first")
    return view.laws, list((view.verdict or {}).get("verdicts") or ())


def _studies(laws: dict[str, Any], args: argparse.Namespace) -> list[dict[str, Any]]:
    """The selected studies; by default those of trained generators, as in the headline."""
    studies = laws.get("studies", [])
    if not studies:
        raise NothingFittedProblem("no cell with synthetic images is finished yet; run the grid first")
    wrong = []
    for name in STUDY:
        asked, known = getattr(args, name), sorted({study[name] for study in studies})
        if asked is not None and asked not in known:
            wrong.append(
                f"--{name.replace('_', '-')} {asked!r} is not in this run, which has "
                f"{', '.join(known)}{did_you_mean(asked, known)}"
            )
    if wrong:
        raise UsageProblem(wrong)
    asked = {name: getattr(args, name) for name in STUDY if getattr(args, name) is not None}
    found = [study for study in studies if all(study[name] == value for name, value in asked.items())]
    if not found:
        wanted = " and ".join(f"{name} {value!r}" for name, value in asked.items())
        raise UsageProblem(f"no study of this run combines {wanted}", code="no-such-study")
    if "generator" not in asked:
        found = [study for study in found if study.get("family") not in CONTROLS] or found
    drawn = [study for study in found if study.get("surface")]
    if not drawn:
        old = all("surface" not in study for study in found)
        raise NothingFittedProblem(
            "laws.json was written by an older version, without expected errors; run the grid's command again"
            if old
            else "no law could be fitted: it needs three numbers of real images, and images mixed with synthetic ones"
        )
    return drawn


def _measured(study: dict[str, Any], laws: dict[str, Any], at: Expectation) -> Estimate | None:
    """The error as measured at this very point; None where it was not."""
    if at.num_synthetic:
        found = [
            cell["error"]
            for cell in study["cells"]
            if (cell["num_real"], cell["num_synthetic"]) == (at.num_real, at.num_synthetic)
        ]
    else:
        curves = [curve for curve in laws.get("real", []) if curve["classifier"] == study["classifier"]]
        found = [p["error"] for curve in curves for p in curve["points"] if p["num_real"] == at.num_real]
    return Estimate(**found[0]) if found else None


def _expected(study: dict[str, Any], laws: dict[str, Any], at: Expectation) -> list[str]:
    limits = (study["surface"]["num_real"], study["surface"]["num_synthetic"])
    return expectation_sentences(
        at,
        laws["confidence"],
        laws["error"],
        measured=_measured(study, laws, at),
        misfit=study.get("misfit", ""),
        unknown=why_unknown(study),
        ends=tuple((axis[0], axis[-1]) for axis in limits),
    )


def _answer(study: dict[str, Any], question: Question) -> tuple[Expectation | None, Answer | None]:
    grid, point, mix = study["surface"], None, None
    if question.num_real is not None:
        point = expectation(grid, question.num_real, question.num_synthetic)
    if question.target is not None and question.priced:
        mix = cheapest(grid, study.get("generation", []), question.target, question.costs)
    return point, mix


def _judged(study: dict[str, Any], laws: dict[str, Any], verdicts: list[dict[str, Any]]) -> tuple[Recommendation, ...]:
    """What is recommended at each measured size, by this study's own verdicts."""
    return recommendations(laws, [v for v in verdicts if all(v[name] == study[name] for name in STUDY)])


def _plain(
    study: dict[str, Any],
    point: Expectation | None,
    mix: Answer | None,
    found: tuple[Recommendation, ...],
    question: Question,
) -> dict[str, Any]:
    """Numbers of the laws; ``not_recommended`` says why the mix is none to act on, '' where it is.

    ``not_estimable`` says why rates are null: of the next real image, or all of them.
    ``real_needed`` are [chance, real images alone that reach the target with it], null beyond what is predicted.
    """
    doubt = unknown_mix(found, mix.mix.num_real, mix.mix.num_synthetic) if mix and mix.mix else ""
    return {name: study[name] for name in STUDY} | {
        "not_estimable": study.get("misfit", "") or why_unknown(study),
        "expected": dataclasses.asdict(point) if point else None,
        "cheapest": dataclasses.asdict(mix) | {"not_recommended": doubt} if mix else None,
        "real_needed": real_needed(study["surface"], question.target) if question.target else None,
    }


if __name__ == "__main__":
    sys.exit(ended(main))
