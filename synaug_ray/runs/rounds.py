"""Rounds of a run with a ``budget``: draws are added where something is undecided, can be decided, and can be paid.

After each round the verdicts say how many draws would probably decide them, and the Records how long a draw takes at
each number of real images. Seeds of the classifiers are added too where that is cheaper: a part of what gains vary by
is theirs, and a seed needs no generator. Where the answer is known, synthetic images get no further draws, nor does
elsewhere a generator that cannot help by more than the margin; real-only trials do, since they cost little and every
answer rests on their curve. Each decision is a line of
``decisions.jsonl``, written before its draws begin, so that the same command goes on from it. Looking after each round
costs no trust: a look spends its part of the false verdicts (``runs.looks``).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from synaug_ray.common.text import counted, listed, long_duration
from synaug_ray.config.budget import Until, budget_seconds
from synaug_ray.config.fewer_draws import FewerDraws, merged
from synaug_ray.config.spec import GridSpec
from synaug_ray.runs.size_costs import SizeCost, costs_of_all, size_costs
from synaug_ray.store.folder_reader import FolderReader
from synaug_ray.store.run_folder import DECISIONS, LAWS, MEASUREMENTS, QUALITY, STATUS, VERDICT, RunFolder
from synaug_ray.store.store import now

LEAST_GROWTH, MOST_GROWTH = 1.25, 2.0  # of the draws from one round to the next
HYBRID = "hybrid"  # in the name of its family
Json = Mapping[str, Any]


@dataclass(frozen=True)
class Decision:
    """What was decided after a round; ``next_draws`` and ``next_seeds`` are None where the run ends."""

    draws: int
    spent: float  # seconds of one core or GPU, of all steps of the grid
    open: tuple[int, ...]  # numbers of real images at which it is not yet known
    half_widths: Mapping[int, float | None]  # of the widest interval of a gain, a fraction; None: it has an open end.
    # By number of real images; of the generators that may help there, if any do
    next_draws: int | None
    next_seeds: int | None
    held: Mapping[int, int]  # draws of synthetic images at the other numbers of real ones, which get no more
    held_generators: Mapping[int, Mapping[str, int]]  # and of single generators at the open ones
    expected: float | None  # seconds that these take
    why: str

    def sentence(self, budget: str) -> str:
        """For a terminal and the page."""
        spent = f"{long_duration(self.spent)} of {budget} are spent on {counted(self.draws, 'draw')}"
        return f"{spent}; {self.why}"


@dataclass(frozen=True)
class Further:
    """Draws and seeds, of the grid in all, and the seconds that are still to be spent on them."""

    seconds: float
    draws: int
    seeds: int


def begin(spec: GridSpec, folder: RunFolder) -> GridSpec:
    """The grid with the draws that were decided on before; unchanged without a budget."""
    if spec.budget is None:
        return spec
    wanted = [d for d in _recorded(spec, folder) if d.get("next_draws")]
    if not wanted:
        return spec
    last = wanted[-1]
    draws, seeds = max(spec.draws, last["next_draws"]), max(spec.seeds, last.get("next_seeds") or 0)
    fewer = [FewerDraws(num_real=int(n), draws=held) for n, held in (last.get("held") or {}).items()]
    for n, names in (last.get("held_generators") or {}).items():
        fewer += [FewerDraws(num_real=int(n), draws=held, generators=(name,)) for name, held in names.items()]
    return spec.model_copy(update={"draws": draws, "seeds": seeds, "fewer_draws": merged(spec, fewer)})


def decide(asked: GridSpec, ran: GridSpec, folder: RunFolder) -> Decision:
    """What to do after a finished round, recorded in the run's folder.

    Args:
        asked: the grid as the user gave it.
        ran: the grid of that round.
    """
    from synaug_ray.analysis.cells.seed_noise import (
        seed_share,  # pandas takes a while, which a dry run need not wait for
    )

    laws, verdict, quality, status = (folder.read_json(name) or {} for name in (LAWS, VERDICT, QUALITY, STATUS))
    spent = sum(float(v) for v in (status.get("cpu_seconds") or {}).values())
    assert asked.budget is not None
    table, budget = FolderReader(folder.url).measurements(), budget_seconds(asked.budget)
    costs = size_costs(table, spent)
    share = seed_share(table, str(laws.get("error") or "test_error")) or 0.0
    found = next_round(laws, verdict.get("verdicts") or (), quality, spent, budget, asked.until, costs, share)
    if found.next_draws is not None and found.next_draws <= ran.draws and (found.next_seeds or 0) <= ran.seeds:
        why = f"the draws that were to decide it have no trials, since their generators fail: see {STATUS}."
        nothing: Json = {"next_draws": None, "next_seeds": None, "held": {}, "held_generators": {}, "expected": None}
        found = replace(found, **nothing, why=why)
    before = _recorded(asked, folder)
    told = asdict(found) | {"grid": _digest(asked)}
    if not before or {k: before[-1].get(k) for k in told} != json.loads(json.dumps(told)):
        kept = (folder.read(DECISIONS) or b"").decode(errors="replace").splitlines()
        folder.write(DECISIONS, "\n".join([*kept, json.dumps({"at": now()} | told)]) + "\n")
    return found


def next_round(
    laws: Json,
    verdicts: Sequence[Json],
    quality: Json,
    spent: float,
    budget: float,
    until: Until,
    costs: Mapping[int, SizeCost],
    share: float = 0.0,
) -> Decision:
    """The next round, by the results so far.

    Args:
        spent, budget: seconds of one core or GPU.
        costs: of each number of real images that is measured.
        share: of the variance of gains between draws that is due to seeds; 0 where it is not known.
    """
    from synaug_ray.analysis.advice.outdone import outdone
    from synaug_ray.analysis.advice.recommendation import usable
    from synaug_ray.analysis.advice.recommendation_no_gain import cannot_help
    from synaug_ray.analysis.advice.recommendation_text import FEW
    from synaug_ray.analysis.generators import CONTROLS  # scipy takes a second, which a dry run need not wait for

    draws, seeds = int(laws.get("draws") or 0), int(laws.get("seeds") or 1)
    learnt = [v for v in verdicts if v.get("family") not in CONTROLS and usable(v)]
    sizes = _open_sizes(laws, verdicts, quality) if until.decide else set()
    wide = [v for v in learnt if until.half_width is not None and _half_width(v) > until.half_width / 100]
    if until.num_real:
        sizes &= set(until.num_real)
        wide = [v for v in wide if int(v["num_real"]) in until.num_real]
    still = tuple(sorted(sizes | {int(v["num_real"]) for v in wide}))
    may_help = [v for v in learnt if not cannot_help(laws, v)]
    known = partial(Decision, draws, spent, still, _half_widths(learnt) | _half_widths(may_help))

    def end(why: str) -> Decision:
        return known(None, None, {}, {}, None, why)

    if not still:
        return end("what was asked is known, so no draws are added.")
    at = f"at {listed(f'{n:,}' for n in still)} real images it is not yet known"
    behind = {n: outdone(laws, [v for v in learnt if int(v["num_real"]) == n], n) for n in sizes}  # nobody's question
    some = may_help if draws >= FEW else learnt  # fewer do not tell which generators cannot help
    asking = [v for v in some if int(v["num_real"]) in sizes and v["classifier"] not in behind[int(v["num_real"])]]
    needed = partial(_draws_needed, draws, asking, wide, until)
    if needed() is None:
        return end(
            f"{at}, and further draws would not decide it: see what the page says to do next, or give it more test "
            "images."
        )
    if not costs:
        return end(f"{at}, and what a draw costs cannot be read from {MEASUREMENTS}; run the same command again.")
    open_still = [*asking, *wide]
    going_on = {n: _going_on(n, open_still, learnt, costs[n]) for n in still if n in costs}
    going_on = {n: names for n, names in going_on.items() if names}
    more = partial(costs_of_all, costs, draws, going_on=going_on)
    best = _cheapest(draws, seeds, share, needed, more)
    then = partial(more, seeds=best.seeds / seeds)
    added = f" and seeds={best.seeds}" if best.seeds > seeds else ""
    if best.seconds > budget - spent:
        return end(
            f"{at}, and an even chance to decide it takes draws={best.draws}{added}, {long_duration(best.seconds)} "
            "more, which the budget does not allow."
        )
    # few draws say little about how many more are needed, and each look costs a part of the false verdicts allowed
    wanted = min(max(best.draws, math.ceil(LEAST_GROWTH * draws)), max(math.ceil(MOST_GROWTH * draws), FEW))
    while wanted > best.draws and then(wanted) > budget - spent:
        wanted -= 1
    held = {n: cost.draws for n, cost in costs.items() if cost.draws and n not in going_on}
    single = {n: {k: c.draws for k, c in costs[n].generators.items() if k not in going_on[n]} for n in going_on}
    single = {n: names for n, names in single.items() if names}
    without = sorted({name for names in single.values() for name in names})
    there = (" there" if held else "") + (f", without {listed(without)}" if without else "")
    why = f"{at}: draws={wanted}{added} next{there}, some {long_duration(then(wanted))}."
    return known(wanted, best.seeds, held, single, then(wanted), why)


def _cheapest(
    draws: int, seeds: int, share: float, needed: Callable[..., int | None], more: Callable[..., float]
) -> Further:
    """The draws and seeds with an even chance to decide one more size that cost least."""
    from synaug_ray.analysis.power import MOST_SEEDS  # as in ``next_round``

    options = []
    for tried in range(seeds, max(MOST_SEEDS, seeds) + 1):
        wanted = needed(noise=1 - share * (1 - seeds / tried)) or draws + 1
        grown = max(wanted, math.ceil(LEAST_GROWTH * draws))
        options.append((more(grown, seeds=tried / seeds), Further(more(wanted, seeds=tried / seeds), wanted, tried)))
    return min(options, key=lambda option: (option[0], option[1].seeds))[1]


def _open_sizes(laws: Json, verdicts: Sequence[Json], quality: Json) -> set[int]:
    """The sizes at which neither collecting nor generating is advised, of those with a generator that learns."""
    from synaug_ray.analysis.advice.recommendation import Advice, recommendations

    found = recommendations(laws, verdicts, quality)
    learnt = any(r.learnt for r in found)
    return {r.num_real for r in found if r.advice is Advice.NOT_KNOWN and r.learnt == learnt}


def _going_on(num_real: int, open_still: Sequence[Json], learnt: Sequence[Json], cost: SizeCost) -> set[str]:
    """The names that get further draws at an open size: those that may help, and what nobody judges, such as rivals.

    Empty where no generator may help. Names of one generator go on together, and so do all beside a hybrid, which is
    made of others' images.
    """
    here = [v for v in learnt if int(v["num_real"]) == num_real]
    may_help = {str(v["generator"]) for v in open_still if int(v["num_real"]) == num_real}
    if not may_help:
        return set()
    names = {*cost.generators}
    if any(HYBRID in str(v.get("family")) for v in here):
        return names
    off = names & {str(v["generator"]) for v in here} - may_help
    while True:
        keys = {key for name in names - off for key in cost.generators[name].keys}
        tied = {name for name in off if cost.generators[name].keys & keys}
        if not tied:
            return names - off
        off -= tied


def _half_width(verdict: Json) -> float:
    low, high = (verdict["gain"].get(k) for k in ("low", "high"))
    return math.inf if low is None or high is None else (high - low) / 2


def _half_widths(verdicts: Sequence[Json]) -> dict[int, float | None]:
    """Of the widest interval at each number of real images."""
    widest: dict[int, float] = {}
    for v in verdicts:
        n = int(v["num_real"])
        widest[n] = max(widest.get(n, 0.0), _half_width(v))
    return {n: found if math.isfinite(found) else None for n, found in sorted(widest.items())}


def _draws_needed(
    draws: int, undecided: Sequence[Json], wide: Sequence[Json], until: Until, noise: float = 1.0
) -> int | None:
    """The draws that have an even chance to decide one more size; None if no number is known to.

    Args:
        noise: of a draw's gain from now on, relative to what it was: a variance.
    """
    from synaug_ray.analysis.advice.recommendation_text import FEW  # as in ``next_round``

    if draws < FEW and (undecided or wide):
        return FEW  # from fewer it is not clear how many decide it
    ranges = [v["deciding_range"] for v in undecided if v["outcome"] == "undecided" and v.get("deciding_range")]
    counts = [math.ceil(noise * int(even)) for even, _ in ranges]
    if until.half_width is not None:
        too_wide = [_half_width(v) / (until.half_width / 100) for v in wide]  # an open end needs a draw, at the least
        counts += [math.ceil(noise * draws * w**2) if math.isfinite(w) else draws + 1 for w in too_wide]
    return max(min(counts), draws + 1) if counts else None


def _recorded(asked: GridSpec, folder: RunFolder) -> list[dict[str, Any]]:
    """The decisions so far on this very grid; damaged lines are ignored."""
    found = []
    for line in (folder.read(DECISIONS) or b"").decode(errors="replace").splitlines():
        try:
            told = json.loads(line)
        except ValueError:
            continue
        if isinstance(told, dict) and told.get("grid") == _digest(asked):
            found.append(told)
    return found


def _digest(asked: GridSpec) -> str:
    """Of the grid, whatever its budget and goal: a larger budget goes on where a smaller one ended."""
    plain = asked.model_copy(update={"budget": None, "until": Until()}).model_dump(mode="json", exclude_defaults=True)
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]
