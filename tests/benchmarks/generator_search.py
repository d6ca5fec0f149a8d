"""Which generator recipe a preset should have: a search on images that no verdict uses.

    python tests/benchmarks/generator_search.py cifar20-32.npz --size 16 --out FOLDER --rounds 1 2 3 4 5 13 14 15
    python tests/benchmarks/generator_search.py kannada-28.npz --size 28 --preset edm-28px --nimg 12800 --no-flip \\
        --trial-nimg 16000 --out FOLDER --rounds 7 8 9 16
    python tests/benchmarks/generator_search.py kannada-28.npz --size 8 --preset edm-tiny --nimg 16000 --no-flip \\
        --trial-nimg 16000 --out FOLDER --rounds 10

An ``.npz`` with train and test images; the test images serve for validation. Every candidate sees the same real images,
and as many of them in training, and is judged by

- label fidelity: the share of its pool that shows the class asked for, by a classifier trained on all training images;
- the validation error of the grid's classifier, trained on the pool alone and mixed with the Subset (75% real, 4 synthetic
  images a real one), paired with the first candidate's by image;
- near-copies of the Subset, and saturated pixels.

Candidates are in rounds, those that tell most first. What is in FOLDER is not done again, and a generator that was
interrupted goes on. One thread. ``--table`` prints the table of all that is done. Figures: `generator_search.md`.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn

from synaug_ray.classifiers.models import build
from synaug_ray.classifiers.networks import Single
from synaug_ray.classifiers.train import Member, _fit, train_pack
from synaug_ray.common.keys import derive_seed
from synaug_ray.config.generator_recipes import EDMRecipe
from synaug_ray.config.presets import GENERATORS, SAMPLERS
from synaug_ray.config.recipes import ClassifierRecipe, SamplerRecipe
from synaug_ray.data.decoding.decode import fit
from synaug_ray.data.images import ImageSet, concatenate
from synaug_ray.data.subsets import permutation
from synaug_ray.generators import edm
from synaug_ray.generators.base import Generator
from synaug_ray.generators.diffusion import to_task
from synaug_ray.plan.steps import Pool, Protocol, TrialStep
from synaug_ray.plan.subset import DataIdentity, Subset
from synaug_ray.quality.features import train as train_space
from synaug_ray.quality.memorization import memorization

MULTIPLE = 4  # synthetic images a real one
SHARE = 0.75  # of each batch that is real
SEEDS = 2
DEVICE = torch.device("cpu")
JUDGE = ClassifierRecipe(name="judge", family="cnn", widths=(32, 64, 128), nimg=100_000, flip=True, shift=2, pack=1)
TRIAL = ClassifierRecipe(name="cnn-24", family="cnn", widths=(24, 48, 96), nimg=32_000, flip=True, shift=2, pack=1)


@dataclass(frozen=True)
class Candidate:
    """One line of the table: what is changed of the preset and of its sampler."""

    generator: dict[str, Any]
    sampler: dict[str, Any]
    num_real: int = 500
    draw: int = 0

    @property
    def name(self) -> str:
        changed = [f"{k}={v}" for part in (self.generator, self.sampler) for k, v in part.items()]
        return f"{self.num_real}-{self.draw} {' '.join(changed) or 'today'}"


SCALE_SHIFT = {"conditioning": "scale-shift"}
NEW = SCALE_SHIFT | {"batch": 32, "learning_rate": 6e-3}
SMALL = SCALE_SHIFT | {"batch": 16, "learning_rate": 3.5e-3}
SMALLEST = SCALE_SHIFT | {"batch": 8, "learning_rate": 2.5e-3}
HALF_RATE = NEW | {"learning_rate": 3e-3}
NARROW = {"sigma_max": 20.0, "sigma_min": 0.01}
ROUNDS: dict[int, tuple[Candidate, ...]] = {
    1: (Candidate({}, {}), Candidate(NEW, {})),
    2: (
        Candidate(NEW, NARROW),
        Candidate(NEW, {"guidance": 1.0}),
        Candidate(NEW, NARROW | {"guidance": 2.0, "guidance_interval": (0.2, 2.0)}),
        Candidate(NEW, NARROW | {"guidance": 2.0}),
    ),
    3: (
        Candidate({"batch": 32, "learning_rate": 6e-3}, {}),
        Candidate({"conditioning": "scale-shift"}, {}),
        Candidate(NEW | {"noise_frequencies": "rising"}, {}),
        Candidate(NEW | {"learning_rate": 3e-3}, {}),
    ),
    4: (Candidate({}, {}, 1000), Candidate(NEW, {}, 1000), Candidate(NEW, NARROW, 1000)),
    5: (Candidate({}, {}, 500, 1), Candidate(NEW, {}, 500, 1), Candidate(NEW, NARROW, 500, 1)),
    6: (Candidate(NEW | {"learning_rate": 1e-2}, {}), Candidate(NEW | {"dropout": 0.0}, {})),
    # longer trainings: what is best after 32,000 images may not be after 64,000. Smaller batches take longer for each image
    13: (
        Candidate(SCALE_SHIFT | {"batch": 32, "learning_rate": 3e-3, "nimg": 64_000}, {}),
        Candidate(SCALE_SHIFT | {"batch": 8, "learning_rate": 2e-3, "nimg": 48_000}, {}),
        Candidate(NEW | {"nimg": 64_000}, {}),
    ),
    # networks of about equal time: a level more, narrower where pixels are many, wider where they are few
    14: (
        Candidate(HALF_RATE | {"channels": (16, 64, 96), "attention": (False,) * 3, "nimg": 64_000}, {}),
        Candidate(HALF_RATE | {"channels": (32, 64, 128), "attention": (False,) * 3, "nimg": 48_000}, {}),
        Candidate(HALF_RATE | {"dropout": 0.0, "nimg": 64_000}, {}),
    ),
    15: (
        Candidate(HALF_RATE | {"p_mean": -0.4, "nimg": 64_000}, {}),
    ),  # more of the noise at which classes are decided
    # a training that cannot diverge: half the rate of NEW (round 13), or a shorter memory of squared gradients
    23: (Candidate(NEW | {"adam_beta2": 0.95, "nimg": 64_000}, {}),),
    # for --preset edm-28px, whose batches are of 32
    7: (Candidate({}, {}, 200), Candidate(SCALE_SHIFT, {}, 200), Candidate(SCALE_SHIFT, NARROW, 200)),
    8: (Candidate(SCALE_SHIFT | {"learning_rate": 1e-2}, {}, 200), Candidate(SMALL, {}, 200)),
    9: (Candidate(SMALLEST, {}, 200), Candidate(SMALLEST | {"nimg": 32_000}, {}, 200)),
    16: (
        Candidate(SMALLEST | {"nimg": 16_000}, {}, 200),
        Candidate(SMALLEST | {"p_mean": -0.4, "nimg": 16_000}, {}, 200),
        Candidate(SMALLEST | {"channels": (16, 64, 96), "nimg": 9_600}, {}, 200),
        Candidate(SMALLEST | {"dropout": 0.0, "nimg": 16_000}, {}, 200),
        Candidate(SMALLEST | {"learning_rate": 5e-3, "nimg": 16_000}, {}, 200),
    ),
    # more of the noise at which classes are decided: how far does it go, and is it true of another Subset?
    17: (
        Candidate(SMALLEST | {"p_mean": 0.0, "nimg": 16_000}, {}, 200),
        Candidate(SMALLEST | {"p_mean": 0.4, "nimg": 16_000}, {}, 200),
    ),
    18: (
        Candidate(SMALLEST | {"nimg": 16_000}, {}, 200, 1),
        Candidate(SMALLEST | {"p_mean": 0.0, "nimg": 16_000}, {}, 200, 1),
    ),
    # and of photographs at 28 px
    19: (
        Candidate(SMALLEST | {"nimg": 16_000, "flip": True}, {}, 400),
        Candidate(SMALLEST | {"p_mean": -0.4, "nimg": 16_000, "flip": True}, {}, 400),
    ),
    # for both: between the two, and wider
    20: (
        Candidate(SMALLEST | {"p_mean": -0.6, "p_std": 1.6, "nimg": 16_000}, {}, 200),
        Candidate(SMALLEST | {"p_mean": -0.8, "nimg": 16_000}, {}, 200),
    ),
    21: (
        Candidate(SMALLEST | {"p_mean": -0.6, "p_std": 1.6, "nimg": 16_000, "flip": True}, {}, 400),
        Candidate(SMALLEST | {"p_mean": -0.8, "nimg": 16_000, "flip": True}, {}, 400),
    ),
    # for --preset edm-tiny at 8 px, where a training takes seconds
    10: tuple(
        Candidate(generator, sampler, 100, draw)
        for draw in range(4)
        for generator, sampler in (({}, {}), (SCALE_SHIFT, {}), ({}, NARROW), (SCALE_SHIFT, NARROW))
    ),
    22: tuple(Candidate({"p_mean": mean}, {}, 100, draw) for draw in range(4) for mean in (-0.4, 0.0, 0.4)),
    # and of photographs, two lengths
    24: tuple(
        Candidate(generator, sampler, 400, draw)
        for draw in range(2)
        for generator, sampler in (({}, {}), (SCALE_SHIFT, {}), (SMALL, {}), (SMALL, NARROW))
    ),
    25: tuple(
        Candidate(generator | {"nimg": 48_000}, NARROW, 400, draw)
        for draw in range(2)
        for generator in ({}, SMALL, SMALL | {"channels": (32, 64)})
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--size", type=int, default=16)
    parser.add_argument("--preset", default="edm-16px")
    parser.add_argument("--nimg", type=int, default=32_000, help="images seen in training")
    parser.add_argument("--no-flip", action="store_true", help="for images whose class a mirror changes")
    parser.add_argument("--trial-nimg", type=int, default=TRIAL.nimg, help="images that a classifier sees in training")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rounds", type=int, nargs="+", choices=sorted(ROUNDS), default=[1, 2, 3, 4, 5, 6])
    parser.add_argument("--table", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    if not args.table:
        search(args)
    print(table(args.out))


def search(args: argparse.Namespace) -> None:
    """Do what is not yet done: of each round first all trainings, then all pools, then all trials."""
    flip = {} if not args.no_flip else {"flip": False}
    trial = TRIAL.model_copy(update={"nimg": args.trial_nimg} | flip)
    judge = Judge(*images_of(args.data, args.size), args.out, JUDGE.model_copy(update=flip), trial)
    for which in args.rounds:
        for stage in (trained, shown, copied, tried):
            for candidate in ROUNDS[which]:
                file = args.out / f"{args.preset}-{args.nimg}-{candidate.name}.json".replace(" ", "_").replace("/", "")
                known = json.loads(file.read_text()) if file.exists() else {"data": args.data.name, "nimg": args.nimg}
                if stage.__name__ in known:
                    continue
                order = permutation(judge.train, judge.num_classes, candidate.draw, "search", "natural")
                found = stage(args, candidate, judge.train.take(order[: candidate.num_real]), judge)
                file.write_text(json.dumps(known | {"name": candidate.name, stage.__name__: found}))
                said = {k: v for k, v in found.items() if not isinstance(v, list)}
                print(candidate.name, stage.__name__, json.dumps(said), flush=True)


def trained(args: argparse.Namespace, candidate: Candidate, subset: ImageSet, judge: Judge) -> dict[str, Any]:
    """The generator, its CPU seconds, and its denoising loss on images of neither split (never decisive)."""
    generator, seconds = generator_of(args, candidate, subset, judge.num_classes)
    assert isinstance(generator, edm.EDMGenerator)
    recipe = recipe_of(args, candidate).model_copy(update={"flip": False, "label_dropout": 0.0, "batch": 250})
    task = to_task(judge.val, judge.num_classes, 0, DEVICE)
    with torch.inference_mode(False):
        losses = [
            float(edm.backward(generator.net.eval(), recipe, task, generator.sigma_data, i))
            for i in range(0, 2000, 250)
        ]
    return {"core_s": seconds, "val_loss": float(np.mean(losses))}


def shown(args: argparse.Namespace, candidate: Candidate, subset: ImageSet, judge: Judge) -> dict[str, Any]:
    """The pool, and how many of its images show the class asked for."""
    pool, seconds = pool_of(args, candidate, subset, judge.num_classes)
    agreed, real = judge.fidelity(pool)
    return {"core_s": seconds, "agreed": agreed, "agreed_real": real}


def copied(args: argparse.Namespace, candidate: Candidate, subset: ImageSet, judge: Judge) -> dict[str, Any]:
    """Near-copies, and how the pixels are spread."""
    pool, _ = pool_of(args, candidate, subset, judge.num_classes)
    space = train_space(subset, judge.num_classes, 0, DEVICE)
    copies = memorization(subset, pool, judge.val, space, mirrors=recipe_of(args, candidate).mirrors)
    assert copies is not None
    saturated = [float(((s.images >= 254) | (s.images <= 1)).mean()) for s in (pool, judge.val)]
    spread = [float(np.sqrt((s.images / 127.5).var(0).sum())) for s in (pool, judge.val)]
    return {
        "near_copies": copies.near_copies.value,
        "base_rate": copies.base_rate.value,
        "saturated": saturated[0],
        "saturated_real": saturated[1],
        "spread": spread[0] / spread[1],
    }


def tried(args: argparse.Namespace, candidate: Candidate, subset: ImageSet, judge: Judge) -> dict[str, Any]:
    """For each validation image the share of trials that get it wrong, of each kind of trial."""
    pool, _ = pool_of(args, candidate, subset, judge.num_classes)
    started = time.process_time()
    found = {
        "real-only": judge.real_only(subset, candidate),
        "mixed": judge.wrong(subset, pool, "mixed", candidate).tolist(),
        "synthetic-only": judge.wrong(subset, pool, "synthetic-only", candidate).tolist(),
    }
    errors = {f"error, {kind}": float(np.mean(wrong)) for kind, wrong in found.items()}
    return found | errors | {"core_s": time.process_time() - started}


def pool_of(
    args: argparse.Namespace, candidate: Candidate, subset: ImageSet, num_classes: int
) -> tuple[ImageSet, float]:
    """The candidate's pool and the CPU seconds of its sampling; from its file where it is done."""
    generator, _ = generator_of(args, candidate, subset, num_classes)
    sampler = SamplerRecipe.model_validate(SAMPLERS["dpmpp-8"].model_dump() | candidate.sampler)
    file = folder_of(args, candidate) / f"{sampler.key[:12]}.npz"
    if file.exists():
        arrays = np.load(file)
        return ImageSet(arrays["images"], arrays["labels"]), float(arrays["seconds"])
    started = time.process_time()
    pool = generator.sample(sampler, range(MULTIPLE * len(subset)), 7, DEVICE)
    seconds = time.process_time() - started
    np.savez_compressed(file, images=pool.images, labels=pool.labels, seconds=seconds)
    return pool, seconds


def images_of(file: Path, size: int) -> tuple[ImageSet, ImageSet, int]:
    """Training and validation images at ``size`` pixels a side, and the number of classes."""
    arrays = np.load(file)
    sets = []
    for split in ("train", "test"):
        small = np.stack([np.asarray(fit(Image.fromarray(image), size, "crop")) for image in arrays[f"{split}_images"]])
        small = small.transpose(0, 3, 1, 2) if small.ndim == 4 else small[:, None]
        sets.append(ImageSet(np.ascontiguousarray(small), arrays[f"{split}_labels"].ravel().astype(np.int64)))
    return sets[0], sets[1], int(sets[0].labels.max()) + 1


def recipe_of(args: argparse.Namespace, candidate: Candidate) -> EDMRecipe:
    """The preset with the candidate's changes, at the search's length."""
    preset = GENERATORS[args.preset].model_dump()
    return EDMRecipe.model_validate(preset | {"nimg": args.nimg, "max_passes": None} | candidate.generator)


def folder_of(args: argparse.Namespace, candidate: Candidate) -> Path:
    """Of a generator and its pools."""
    name = f"generator-{recipe_of(args, candidate).key[:12]}-{candidate.num_real}-{candidate.draw}"
    return args.out / name


def generator_of(
    args: argparse.Namespace, candidate: Candidate, subset: ImageSet, num_classes: int
) -> tuple[Generator, float]:
    """The candidate's generator and the CPU seconds of its training; from its file where it is done."""
    recipe, folder = recipe_of(args, candidate), folder_of(args, candidate)
    state, spent = folder / "state", 0.0
    folder.mkdir(exist_ok=True)
    if (folder / "seconds").exists():
        spent = float((folder / "seconds").read_text())
    if (folder / "files").exists():
        names = [f for f in (folder / "files").rglob("*") if f.is_file()]
        return edm.from_files({str(f.relative_to(folder / "files")): f.read_bytes() for f in names}), spent
    started = time.process_time()

    def save(snapshot: Any, nimg: int) -> None:
        (folder / "new").write_bytes(snapshot())
        (folder / "new").rename(state)
        (folder / "seconds").write_text(str(spent + time.process_time() - started))
        print(f"{candidate.name}: {nimg:,} images seen", flush=True)

    classes = tuple(map(str, range(num_classes)))
    generator, _ = edm.train(
        recipe,
        subset,
        classes,
        derive_seed("search", candidate.draw),
        DEVICE,
        state.read_bytes() if state.exists() else None,
        save,
    )
    for name, data in generator.files().items():
        target = folder / "done" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    (folder / "done").rename(folder / "files")
    return generator, float((folder / "seconds").read_text())


class Judge:
    """The classifier that has seen all training images, and the trials."""

    def __init__(
        self,
        train: ImageSet,
        val: ImageSet,
        num_classes: int,
        out: Path,
        recipe: ClassifierRecipe,
        trials: ClassifierRecipe,
    ) -> None:
        self.train, self.val, self.num_classes, self.out = train, val, num_classes, out
        self.recipe, self.trials = recipe, trials

    def fidelity(self, pool: ImageSet) -> tuple[float, float]:
        """Shares of the pool and of validation images whose label the judge gives."""
        shares = [float((log_probabilities(self.judge(), s).argmax(1) == s.labels).mean()) for s in (pool, self.val)]
        return shares[0], shares[1]

    def judge(self) -> nn.Module:
        """Trained on all training images, once."""
        file, shape = self.out / "judge.safetensors", self.train.images.shape[1:]
        net = build(self.recipe, (int(shape[0]), int(shape[1]), int(shape[2])), self.num_classes, 0)
        if file.exists():
            net.load_state_dict(load_file(file))
            return net
        started = time.process_time()
        trial = self.step(len(self.train), 0, "real-only", self.recipe, 0)
        _fit(Single(net), self.recipe, [Member(trial, self.train)], DEVICE, None, 1, lambda seeds: [])
        save_file({k: v.contiguous() for k, v in net.state_dict().items()}, file)
        print(f"judge: {time.process_time() - started:.0f} core-s", flush=True)
        return net

    def real_only(self, subset: ImageSet, candidate: Candidate) -> list[float]:
        """``wrong`` without synthetic images, once for a Subset."""
        file = self.out / f"real-only-{candidate.num_real}-{candidate.draw}.txt"
        if not file.exists():
            file.write_text(json.dumps(self.wrong(subset, None, "real-only", candidate).tolist()))
        return json.loads(file.read_text())

    def wrong(
        self, subset: ImageSet, pool: ImageSet | None, protocol: Protocol, candidate: Candidate
    ) -> NDArray[np.float64]:
        """For each validation image the share of trials that get it wrong."""
        images = subset if pool is None else concatenate(subset, pool)
        wrong = []
        for seed in range(SEEDS):
            trial = self.step(
                len(subset), 0 if pool is None else len(pool), protocol, self.trials, seed, candidate.draw
            )
            [outcome] = train_pack([Member(trial, images)], self.val, self.val, self.num_classes, DEVICE)
            wrong.append(outcome.predicted != self.val.labels)
        return np.mean(wrong, 0)

    def step(
        self, num_real: int, num_synthetic: int, protocol: Protocol, recipe: ClassifierRecipe, seed: int, draw: int = 0
    ) -> TrialStep:
        """A trial of a grid that exists only here."""
        subset = Subset(DataIdentity("search", "search"), num_real, draw)
        share = SHARE if protocol == "mixed" else None
        pool: Pool | None = None
        return TrialStep(subset, pool, num_synthetic, protocol, share, recipe, seed)


def log_probabilities(net: nn.Module, images: ImageSet) -> NDArray[np.float64]:
    """float64 [N, classes]."""
    net.eval()
    with torch.inference_mode():
        return (
            torch.cat(
                [net(torch.from_numpy(part).float().div(127.5).sub(1)) for part in np.array_split(images.images, 20)]
            )
            .double()
            .log_softmax(1)
            .numpy()
        )


HEADER = (
    "real images, draw: changed",
    "training, core-s",
    "loss on unseen images",
    "sampling, core-s per 1,000",
    "shows its class",
    "near-copies",
    "saturated pixels",
    "spread",
    "error, mixed",
    "error, synthetic only",
)


def table(out: Path) -> str:
    """All that is done, in Markdown; differences from the same Subset's unchanged preset with their standard errors.

    Those are over validation images alone: one Subset, one generator.
    """
    rows = [json.loads(file.read_text()) for file in sorted(out.glob("edm-*.json"))]
    lines = [f"| {' | '.join(HEADER)} |", len(HEADER) * "|---" + "|"]
    for row in rows:
        cell = row["name"].split(" ")[0]
        first = next((r for r in rows if r["name"] == f"{cell} today"), {})
        of = {stage: row.get(stage, {}) for stage in ("trained", "shown", "copied", "tried")}
        num = MULTIPLE * int(cell.split("-")[0])
        lines.append(
            "| "
            + " | ".join(
                (
                    row["name"],
                    _number(of["trained"].get("core_s"), ".0f"),
                    _number(of["trained"].get("val_loss"), ".4f"),
                    _number(of["shown"].get("core_s"), ".0f", 1000 / num),
                    f"{_number(of['shown'].get('agreed'), '.1%')} (real {_number(of['shown'].get('agreed_real'), '.1%')})",
                    f"{_number(of['copied'].get('near_copies'), '.1%')} (real {_number(of['copied'].get('base_rate'), '.1%')})",
                    _number(of["copied"].get("saturated"), ".1%"),
                    _number(of["copied"].get("spread"), ".2f"),
                    *(_error(of["tried"], first.get("tried", {}), kind) for kind in ("mixed", "synthetic-only")),
                )
            )
            + " |"
        )
    return "\n".join(lines)


def _number(value: float | None, form: str, times: float = 1.0) -> str:
    return "" if value is None else format(value * times, form)


def _error(tried: dict[str, Any], first: dict[str, Any], kind: str) -> str:
    """Error in %, and in points how far from the preset's and from real-only's, with standard errors."""
    if not tried:
        return ""
    wrong = np.array(tried[kind])

    def beside(other: list[float]) -> str:
        apart = 100 * (wrong - np.array(other))
        return f"{apart.mean():+.1f} ± {apart.std() / np.sqrt(len(apart)):.1f}"

    told = f"{100 * wrong.mean():.1f} (real-only {beside(tried['real-only'])}"
    return told + (f"; today's {beside(first[kind])})" if first and first is not tried else ")")


if __name__ == "__main__":
    main()
