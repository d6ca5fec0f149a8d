"""What work takes on this machine, from a few seconds of it: asked of a process of its own, and kept.

For what the Store has no record of. Kept below the cache folder by recipe, image size and hardware. What could not be
timed within the limit is scaled: by counted operations, at the speed of what was timed, else from its siblings.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from synaug_ray.common.hardware import hardware_name
from synaug_ray.common.keys import content_key
from synaug_ray.config.generator_recipes import PretrainedRecipe
from synaug_ray.config.text_recipes import TextRecipe
from synaug_ray.plan.features import FeatureStep
from synaug_ray.plan.footprint import Count
from synaug_ray.plan.order import packs_in_order
from synaug_ray.plan.step import Step
from synaug_ray.plan.steps import GeneratorStep, QualityStep, ShardStep, TrialStep
from synaug_ray.runs.cost import MEASURED, SCALED, TIMED, Figure

LIMIT = 20.0  # seconds for all of it; a process needs some five of them to import torch and diffusers, and to count
MEASURING = 11.0  # of these, of a core that others may share: on a busy machine it takes longer
PATIENCE = 3.0  # limits after which the process is stopped, whatever it has said, unless it waits for a core
STARVED = 15.0  # limits after which it is stopped in any case
OFF = "SYNAUG_NO_TIMING"  # in the environment: as --no-timing
CLASSES = 10  # assumed: how many there are changes neither time nor memory by a percent
VERSION = 2  # of what is kept
SPEED = 2e10  # operations a second of a core, where nothing could be timed
PIPELINE = 1e12  # operations of one evaluation of a pretrained pipeline, where it could not be tried; a guess
GUESSED = 10.0  # the factor by which that may be wrong

ASSUMED = (3, 32, 32)  # (channels, height, width) of images where the grid does not say

Shape = tuple[int, int, int]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Timings:
    """Figures and counts by ``cost_key``, and what they are of."""

    figures: Mapping[str, Figure] = field(default_factory=dict)
    counts: Mapping[str, Count] = field(default_factory=dict)
    device: str = "cpu"

    @property
    def unit(self) -> str:
        """What the figures are seconds of."""
        return "GPU" if self.device == "cuda" else "core"


def timings(
    steps: Sequence[Step], shape: Shape, cache: Path, say: Say, limit: float = LIMIT, training: int | None = None
) -> Timings:
    """Timings of all kinds of ``steps`` that take any time: from the cache, else measured now.

    Args:
        shape: (channels, height, width) of the images.
        cache: the cache folder; one that cannot be written is done without.
        say: called once with a line if something has to be measured.
        limit: seconds for the measuring, more on a busy machine; 0 takes what is kept.
        training: how many training images the data set has, if that is known.
    """
    kinds: dict[str, list[Step]] = {}
    for step in steps:
        if step.images_seen:
            kinds.setdefault(step.cost_key, []).append(step)
    entries = {key: _entry(key, of, training) for key, of in kinds.items()}
    places = {key: cache / "timings" / f"{_name(entry, shape)}.json" for key, entry in entries.items()}
    found = {key: kept for key, path in places.items() if (kept := _read(path)) is not None}
    wanted = {key: of for key, of in kinds.items() if "seconds" not in found.get(key, {})}
    if wanted and limit and OFF not in os.environ:
        say(f"timing a few steps of {_named(wanted)} on this machine, about {limit:.0f} seconds (--no-timing skips it)")
        for key, values in _ask([entries[key] for key in wanted], shape, limit).items():
            found[key] = found.get(key, {}) | values
            _keep(places[key], found[key])
    return _filled(kinds, found)


def _filled(kinds: Mapping[str, Sequence[Step]], found: Mapping[str, dict[str, Any]]) -> Timings:
    """Figures of all kinds, of those that were not timed by scaling."""
    counts = {
        key: Count(values["flops"], values["fixed"], values["each"])
        for key, values in found.items()
        if "flops" in values
    }
    figures: dict[str, Figure] = {}
    speeds = []
    for key, values in found.items():
        if seconds := values.get("seconds"):
            figures[key] = Figure(seconds, TIMED)
            if key in counts and counts[key].flops:
                speeds.append(counts[key].flops * values.get("slow", 1.0) / seconds)
    speed = statistics.median(speeds) if speeds else SPEED
    if found:  # otherwise nothing was measured, and nothing is guessed
        for key, of in kinds.items():
            if key in figures:
                continue
            siblings = [figures[k].seconds for k, s in kinds.items() if k in figures and s[0].stage == of[0].stage]
            if key in counts:
                figures[key] = Figure(counts[key].flops * found[key].get("slow", 1.0) / speed, SCALED)
            elif siblings:
                figures[key] = Figure(statistics.median(siblings), SCALED)
            elif (guess := _guess(of[0], speed, counts)) is not None:
                figures[key] = Figure(guess, GUESSED)
    for key, of in kinds.items():
        if key not in figures or not (values := found.get(key, {})).get("seconds"):
            continue
        if key == "quality":  # it was timed by the check, and what is trained once for all of them
            images = sum(step.images_seen for step in of)
            figures[key] = Figure((values["seconds"] * len(of) + values.get("once", 0.0)) / images, SCALED)
        elif isinstance(of[0], TrialStep):
            figures[key] = Figure(figures[key].seconds * _padding(of), TIMED)
    devices = [values["device"] for values in found.values() if "device" in values]
    return Timings(figures, counts, devices[0] if devices else "cpu")


def _padding(trials: Sequence[Step]) -> float:
    """Images seen with those that fill packs, which cost as much, for each image that ``trials`` see."""
    recipes: dict[str, list[TrialStep]] = {}
    for trial in trials:
        assert isinstance(trial, TrialStep)
        recipes.setdefault(trial.pack_key, []).append(trial)
    seen = sum(packs_in_order(of) * of[0].classifier.pack * of[0].images_seen for of in recipes.values())
    return seen / sum(trial.images_seen for trial in trials)


def _guess(step: Step, speed: float, counts: Mapping[str, Count]) -> float | None:
    """Seconds for an image of what was not counted: a pipeline, a quality check, or a pool whose generator was.

    None for other networks, which a machine was too busy to count in time: a guess may be wrong a thousandfold.
    """
    if isinstance(step, QualityStep):
        return MEASURED["quality"] / 1000
    if not isinstance(step, ShardStep):
        return None
    if isinstance(step.generator.recipe, (PretrainedRecipe, TextRecipe)):
        return PIPELINE * step.sampler.steps / speed
    training = counts.get(step.generator.cost_key)
    passes = step.sampler.steps * (1 if step.sampler.guidance == 1 else 2)
    return None if training is None else training.flops / 3 * passes / speed  # a training step is three passes


def _named(kinds: Mapping[str, Sequence[Step]]) -> str:
    names = list(dict.fromkeys("quality checks" if s[0].stage == "quality" else s[0].cost_name for s in kinds.values()))
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _name(entry: Mapping[str, Any], shape: Shape) -> str:
    what = {"version": VERSION, "work": entry["key"], "shape": list(shape), "hardware": hardware_name()}
    what |= {"training": entry["training"]} if "training" in entry else {}
    with suppress(PackageNotFoundError):
        return content_key(what | {"torch": version("torch")})
    return content_key(what)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        values = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return values if isinstance(values, dict) else None


def _keep(path: Path, values: dict[str, Any]) -> None:
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        half = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        half.write_text(json.dumps(values))
        half.replace(path)


def _said(child: subprocess.Popen[str], asked: str, limit: float) -> str:
    """What the process said until it ended or was stopped.

    One that works, but has not had ``limit`` seconds of a core yet, is waited for: on a machine with ten times as many
    processes as cores the imports alone take a minute, and a plan without any figure would follow.
    """
    began, told, had = time.monotonic(), asked, 0.0
    while True:
        try:
            return child.communicate(told, timeout=PATIENCE * limit)[0]
        except subprocess.TimeoutExpired:
            had, before = _core_seconds(child.pid), had
            if before < had < limit and time.monotonic() - began < STARVED * limit:
                told = None  # it has been sent
                continue
            child.kill()
            return child.communicate()[0]


def _core_seconds(process: int) -> float:
    with suppress(psutil.Error):
        times = psutil.Process(process).cpu_times()
        return times.user + times.system
    return 0.0


def _ask(work: Sequence[Mapping[str, Any]], shape: Shape, limit: float) -> dict[str, dict[str, Any]]:
    """What the process said of each piece of ``work`` until the limit; nothing where it could not begin."""
    asked = {"shape": list(shape), "classes": CLASSES, "seconds": limit * MEASURING / LIMIT, "work": list(work)}
    command = [sys.executable, "-m", "synaug_ray.engine.timing"]
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    try:
        child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env
        )
    except OSError:
        return {}
    try:
        out = _said(child, json.dumps(asked), limit)
    except BaseException:  # Ctrl-C
        child.kill()
        child.wait()
        raise
    found: dict[str, dict[str, Any]] = {}
    for line in out.splitlines():
        with suppress(ValueError, KeyError, TypeError):  # the last line may be half written
            values = json.loads(line)
            found.setdefault(values.pop("key"), {}).update(values)
    return {key: values for key, values in found.items() if key in {entry["key"] for entry in work}}


def _entry(key: str, steps: Sequence[Step], training: int | None) -> dict[str, Any]:
    step = steps[0]
    entry = {"key": key, "kind": step.stage, "images": sum(s.images_seen for s in steps), "recipe": None}
    if isinstance(step, GeneratorStep):
        entry["recipe"] = step.recipe.model_dump(mode="json")
    elif isinstance(step, ShardStep):
        entry["recipe"] = step.sampler.model_dump(mode="json")
        entry["generator"] = step.generator.recipe.model_dump(mode="json")
    elif isinstance(step, TrialStep):
        entry["recipe"] = step.classifier.model_dump(mode="json")
    elif isinstance(step, FeatureStep):
        entry["recipe"] = step.classifier.model_dump(mode="json")
    elif isinstance(step, QualityStep):
        # where nobody knows how many there are, at least those of the largest Subset
        most = max(s.pool.generator.subset.num_real for s in steps if isinstance(s, QualityStep))
        entry["training"] = training or most
        entry["recipe"] = step.spaces[0].model_dump(mode="json") if step.spaces else None
    return entry
