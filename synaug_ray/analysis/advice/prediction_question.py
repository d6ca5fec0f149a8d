"""What ``predict`` is asked: parses its command line into numbers, and reports all mistakes at once."""

from __future__ import annotations

import argparse
import dataclasses
import math

from synaug_ray.analysis.advice.calculator import Costs
from synaug_ray.analysis.advice.collection import MOST_ROUNDS
from synaug_ray.common.errors import UsageProblem


@dataclasses.dataclass(frozen=True)
class Question:
    """What to predict: a point, the cheapest mix for a target error, or both."""

    num_real: int | None
    num_synthetic: int
    target: float | None
    costs: Costs
    priced: bool = False  # any price was given
    penalty: float | None = None  # of missing the target
    rounds: int = 1  # of collecting


def question_of(args: argparse.Namespace) -> Question:
    """The question of parsed arguments.

    Raises:
        UsageProblem: with all arguments that are not numbers, or need another argument.
    """
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

    num_synthetic = images("--synthetic", args.synthetic, 0)
    num_real = images("--real", args.real, 0 if num_synthetic else 1)  # without any image there is no training
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
        # if only computing has a price, that is the cost of a synthetic image
        needed = ["--cost-real"] if args.cost_core_hour is not None else list(priced)
        needed = (
            needed if any(text is not None for text in given.values()) else []
        )  # probabilities alone need no prices
        wrong += [f"--target-error needs {name}, in any currency" for name in needed if priced[name] is None]
    elif args.real is None:
        owned = given | {"--have": args.have}
        wrong += [f"{name} needs --real N or --target-error E" for name, text in owned.items() if text is not None]
    elif args.have is not None and args.cost_real is None:
        wrong.append("--have needs --cost-real, or --target-error")
    if args.penalty is not None and (args.target_error is None or args.cost_real is None):
        wrong.append("--penalty needs --target-error and --cost-real")
    rounds = images("--rounds", args.rounds, 1) or 1
    if rounds > MOST_ROUNDS:
        wrong.append(f"--rounds must be at most {MOST_ROUNDS}, got {args.rounds}")
    if args.rounds is not None and args.penalty is None:
        wrong.append("--rounds needs --penalty, the cost of missing the target error after the last round")
    if wrong:
        raise UsageProblem(wrong)
    costs = Costs(real or 0.0, synthetic or 0.0, core_hour or 0.0, have or 0)
    priced_at_all = any(text is not None for text in given.values())
    return Question(num_real, num_synthetic or 0, target, costs, priced_at_all, penalty, rounds)
