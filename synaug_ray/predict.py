"""``python -m synaug_ray.predict RUN``: expected errors at other numbers of images, and the cheapest mix."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from typing import Any

from synaug_ray.analysis.advice.calculator import Answer, Expectation, cheapest, expectation
from synaug_ray.analysis.advice.collection import Collection, cheapest_collection
from synaug_ray.analysis.advice.collection_text import chance_sentences, collection_sentences
from synaug_ray.analysis.advice.more_real import Known, more_real
from synaug_ray.analysis.advice.prediction_question import Question, question_of
from synaug_ray.analysis.advice.prediction_text import (
    cost_sentence,
    expectation_sentences,
    plan_sentences,
    study_title,
    why_unknown,
)
from synaug_ray.analysis.advice.real_needed import known, real_needed
from synaug_ray.analysis.advice.recommendation import Recommendation, recommendations, unknown_mix
from synaug_ray.analysis.advice.recommendation_text import unknown_collection
from synaug_ray.analysis.generators import CONTROLS
from synaug_ray.analysis.questions.label_text import label_lines, saving_at
from synaug_ray.analysis.study_key import STUDY
from synaug_ray.common.cli import print_problem, run_command
from synaug_ray.common.errors import DONE, FAILED_CELLS, STORAGE, Problem, UsageProblem, collect_problems, did_you_mean
from synaug_ray.laws.results import Estimate
from synaug_ray.report.run_view import NoRunError, as_a_run_writes_them, read


class NothingFittedProblem(Problem):
    """The run has no fitted laws to predict from (yet)."""

    exit_code = FAILED_CELLS
    code = "nothing-fitted"


class UnreadableLawsProblem(Problem):
    """laws.json exists, but cannot be read."""

    exit_code = STORAGE
    code = "run-damaged"


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, call, print; returns the exit code (see ``synaug_ray.common.errors``)."""
    args = _parser().parse_args(argv)
    try:
        question, (laws, verdicts) = collect_problems(lambda: question_of(args), lambda: _laws(args.run))
        with as_a_run_writes_them(args.run):
            lines = _answers(_studies(laws, args), question, laws, verdicts, as_json=args.json)
    except Problem as problem:
        return print_problem(problem)
    print("\n".join(lines))
    return DONE


def _answers(
    studies: Sequence[dict[str, Any]],
    question: Question,
    laws: dict[str, Any],
    verdicts: list[dict[str, Any]],
    *,
    as_json: bool,
) -> list[str]:
    """The lines to print."""
    answers = [(study, *_answer(study, question), _judged(study, laws, verdicts)) for study in studies]
    if as_json:
        numbers = [_plain(*answer, question, laws) for answer in answers]
        return [json.dumps(numbers, indent=2, allow_nan=False)]
    told = []
    for study, point, mix, found in answers:
        lines = _expected(study, laws, point) if point else []
        if question.num_real is not None:
            lines += label_lines(laws, study, question.num_real, question.num_synthetic)
        if point and question.priced:
            lines.append(cost_sentence(study.get("generation", []), question.costs, point))
        helps = _collecting_helps(study, laws)
        if mix and question.target:
            lines += plan_sentences(mix, question.target, question.costs, found, helps, why_unknown(study))
        if question.target:
            lines += chance_sentences(study["surface"], question.target, question.costs.have, question.num_real or None)
            lines += _collect_lines(study["surface"], question, helps)
        told.append("\n  ".join([study_title(study) + ":", *lines]))
    if laws.get("draws", 0) < 5:
        told.append(f"note: from {laws.get('draws', 0)} draws; with fewer than five, intervals are only a rough guide.")
    return told


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m synaug_ray.predict",
        allow_abbrev=False,
        description="The expected error at other numbers of real and synthetic images, and the cheapest mix.",
        epilog="exit codes: 0 answered, also if the answer is not estimable, 2 command line, "
        "4 no laws fitted yet, 5 laws.json cannot be read",
    )
    parser.add_argument("run", metavar="RUN", help="path or URL of a run's folder, <storage>/<run>")
    parser.add_argument("--real", metavar="N", help="real images; 0 where that was measured")
    parser.add_argument("--synthetic", metavar="S", help="synthetic images; default 0")
    parser.add_argument("--target-error", metavar="E", help="the error to reach: 0.08 or 8%%")
    parser.add_argument("--cost-real", metavar="A", help="cost of collecting and labelling one real image")
    parser.add_argument("--cost-synthetic", metavar="B", help="cost of one synthetic image besides its computation")
    parser.add_argument("--cost-core-hour", metavar="C", help="cost of an hour of a core (or GPU) for generation")
    parser.add_argument("--have", metavar="N", help="real images already owned; default 0")
    parser.add_argument("--penalty", metavar="P", help="cost of missing the target error")
    parser.add_argument("--rounds", metavar="R", help="rounds of collecting, each only if still needed; default 1")
    for name in STUDY:
        parser.add_argument("--" + name.replace("_", "-"), metavar="NAME", help="select one of several studies")
    parser.add_argument(
        "--json", action="store_true", help="print the numbers as JSON; errors as fractions, null where not estimable"
    )
    return parser


def _laws(run: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The content of laws.json, and the verdicts of verdict.json."""
    try:
        view = read(run, images=False)
    except NoRunError as error:
        raise UsageProblem(str(error)) from error
    if view.laws is None:
        broken = [problem for problem in view.problems if problem.startswith("laws.json")]
        if broken:
            raise UnreadableLawsProblem(broken)
        raise NothingFittedProblem(f"{run} has no laws.json, since no cell is finished yet; run the grid first")
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
            "laws.json has no expected errors: it is of a small copy (compare --keep), or of an older version; ask the "
            "run itself, or run the grid's command again"
            if old
            else "no law could be fitted: it needs three numbers of real images, and images mixed with synthetic ones"
        )
    return drawn


def _measured(study: dict[str, Any], laws: dict[str, Any], at: Expectation) -> Estimate | None:
    """The error measured at this very point; None if it was not measured there."""
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


def _measured_worth(study: dict[str, Any], at: Expectation) -> Estimate | None:
    """What the cell at this very point is worth, as its verdict has it; None if it was not measured."""
    where = at.num_real, at.num_synthetic
    found = [cell for cell in study["cells"] if (cell["num_real"], cell["num_synthetic"]) == where]
    return Estimate(**found[0]["equivalent_simultaneous"]) if found and "equivalent_simultaneous" in found[0] else None


def _expected(study: dict[str, Any], laws: dict[str, Any], at: Expectation) -> list[str]:
    limits = (study["surface"]["num_real"], study["surface"]["num_synthetic"])
    return expectation_sentences(
        at,
        laws["confidence"],
        laws["error"],
        measured=_measured(study, laws, at),
        worth=_measured_worth(study, at),
        misfit=study.get("misfit", ""),
        unknown=why_unknown(study),
        ends=tuple((axis[0], axis[-1]) for axis in limits),
    )


def _answer(study: dict[str, Any], question: Question) -> tuple[Expectation | None, Answer | None]:
    grid, point, mix = study["surface"], None, None
    if question.num_real:  # at 0 only what was measured is known
        point = expectation(grid, question.num_real, question.num_synthetic)
    if question.target is not None and question.priced:
        mix = cheapest(grid, study.get("generation", []), question.target, question.costs)
    return point, mix


def _judged(study: dict[str, Any], laws: dict[str, Any], verdicts: list[dict[str, Any]]) -> tuple[Recommendation, ...]:
    """What is recommended at each measured size, judging by this study's own verdicts."""
    return recommendations(laws, [v for v in verdicts if all(v[name] == study[name] for name in STUDY)])


def _collecting_helps(study: dict[str, Any], laws: dict[str, Any]) -> bool:
    """Whether more real images were measured to lower the error at the largest sizes."""
    return more_real(laws, study["classifier"], study["surface"]["measured_real_only"][1]).known is Known.HELPS


def _collection(grid: dict[str, Any], question: Question, rounds: int) -> Collection | None:
    if question.target is None or question.penalty is None:
        return None
    costs = question.costs
    return cheapest_collection(grid, question.target, costs.real, question.penalty, costs.have, rounds)


def _collect_lines(grid: dict[str, Any], question: Question, helps: bool) -> list[str]:
    if question.penalty is None or not known(grid):
        return []
    if not helps:
        return ["How many to collect is not known: more real images were not shown to help at the largest sizes."]
    plan, once = (_collection(grid, question, rounds) for rounds in (question.rounds, 1))
    return collection_sentences(grid, plan, once, question.penalty, question.rounds)


def _plain(
    study: dict[str, Any],
    point: Expectation | None,
    mix: Answer | None,
    found: tuple[Recommendation, ...],
    question: Question,
    laws: dict[str, Any],
) -> dict[str, Any]:
    """Numbers of the laws; ``not_recommended`` says why the mix is none to act on, '' where it is.

    ``not_estimable`` says why rates are null: of the next real image, or all of them. Where that is so at this point
    alone, ``expected.not_estimable`` names the fields, and ``expected.why`` says why.
    ``real_needed`` are [chance, real images alone that reach the target with it], null beyond what is predicted.
    ``label_saving`` is what the images save in labels at the point, null if that was not measured there.
    ``collection`` is what to collect with ``--penalty``, null where more real images were not shown to help.
    """
    doubt, helps, n = "", _collecting_helps(study, laws), question.num_real
    if mix and mix.mix:
        best, have = mix.mix, question.costs.have
        doubt = unknown_mix(found, best.num_real, best.num_synthetic)
        doubt = doubt or unknown_collection(why_unknown(study), best.num_real, have)
    plan = _collection(study["surface"], question, question.rounds) if helps and known(study["surface"]) else None
    return {name: study[name] for name in STUDY} | {
        "not_estimable": study.get("misfit", "") or why_unknown(study),
        "expected": dataclasses.asdict(point) if point else None,
        "label_saving": None if n is None else saving_at(laws, study, n, question.num_synthetic),
        "cheapest": dataclasses.asdict(mix) | {"not_recommended": doubt} if mix else None,
        "real_needed": real_needed(study["surface"], question.target) if question.target else None,
        "collection": dataclasses.asdict(plan) if plan else None,
    }


if __name__ == "__main__":
    sys.exit(run_command(main))
