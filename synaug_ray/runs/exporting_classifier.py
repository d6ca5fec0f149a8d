"""A classifier as files: trials keep no weights, so it is trained again, and compared with what was recorded."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load as load_arrays
from safetensors.torch import save_file

from synaug_ray.classifiers.train import Member, train_with_weights
from synaug_ray.common.errors import DataProblem, Message, StorageProblem, UsageProblem, did_you_mean
from synaug_ray.config.protocols import JOINT
from synaug_ray.data.load import load
from synaug_ray.engine.context import WorkerContext
from synaug_ray.engine.machine import Machine, use_threads
from synaug_ray.plan.plan import Row
from synaug_ray.runs.classes import class_names
from synaug_ray.runs.exporting import check_empty
from synaug_ray.runs.run import RunStatus
from synaug_ray.runs.tables import share_name
from synaug_ray.store.store import CorruptPayload, MissingRecord

WEIGHTS, ABOUT, CARD = "classifier.safetensors", "classifier.json", "README.md"


def choose_trial(
    run: RunStatus,
    classifier: str,
    num_real: int,
    generator: str | None,
    draw: int,
    seed: int,
    num_synthetic: int | None,
    share: str | None,
    protocol: str | None = None,
) -> Row:
    """The trial that is asked for: with the most synthetic images where ``num_synthetic`` is None.

    Without a generator and a ``protocol`` it is a real-only one, not one of a check or of a control.

    Raises:
        UsageProblem: where there is none, or more than one, listing what there is.
    """
    rows = list(run.plan.rows)
    if generator is None and protocol is None:
        protocol = "real-only"
    asked = (
        ("--classifier", classifier, lambda r: r.cell.classifier.name),
        ("--generator", generator, lambda r: r.cell.arm if r.cell.generator is not None else None),
        ("--num-real", num_real, lambda r: r.cell.num_real),
        ("--draw", draw, lambda r: r.cell.draw),
        ("--seed", seed, lambda r: r.cell.seed),
        ("--num-synthetic", num_synthetic, lambda r: r.cell.num_synthetic),
        ("--protocol", protocol, lambda r: r.cell.protocol),
        ("--mix", share, lambda r: _mix(r)),
    )
    for option, wanted, of in asked:
        if wanted is None and option in ("--num-synthetic", "--protocol", "--mix"):
            continue
        found = [row for row in rows if of(row) == wanted]
        if not found:
            known = [str(v) for v in dict.fromkeys(of(row) for row in rows) if v is not None]
            near = did_you_mean(str(wanted), known, ".") if isinstance(wanted, str) else "."
            text = (
                f"no trial with {option} {wanted} among those asked for{near} There are: {', '.join(known) or 'none'}"
            )
            raise UsageProblem(Message(text, option, "unknown-trial", str(wanted)))
        rows = found
    most = max(row.cell.num_synthetic for row in rows)
    rows = list({row.trial.key: row for row in rows if row.cell.num_synthetic == most}.values())
    if len(rows) > 1:
        protocols = tuple(dict.fromkeys(r.cell.protocol for r in rows))
        shares = ", ".join(dict.fromkeys(_mix(r) for r in rows))
        text = f"several real shares were tried ({shares}); name one share with --mix"
        if len(protocols) > 1:
            text = f"several protocols were tried ({', '.join(protocols)}); name one with --protocol"
        raise UsageProblem(Message(text, code="ambiguous-trial"))
    return rows[0]


def export_classifier(run: RunStatus, row: Row, out: Path, cache: Path) -> list[str]:
    """Train the trial again, and write weights, facts and a card; returns lines that say what was written.

    Raises:
        UsageProblem: where ``out`` holds something.
        StorageProblem: where the trial is not done, or ``out`` cannot be written.
        DataProblem: where the predictions differ in any bit from the recorded ones.
    """
    check_empty(out)
    trial = row.trial
    if trial.protocol == JOINT:
        text = (
            f"the {trial.classifier.name} of protocol joint is a part of its generator, and not written by itself; its "
            "weights are in discriminator.safetensors of the generator's payload in the storage. Export a classifier "
            "of another protocol"
        )
        raise UsageProblem(Message(text, "--classifier", "part-of-a-generator", trial.classifier.name))
    if trial.classifier.frozen:
        text = (
            f"{trial.classifier.name} is a head on features of {trial.classifier.model} (tune: head), which is not "
            "written as a network; export one with tune: all"
        )
        raise UsageProblem(Message(text, "--classifier", "head-alone", trial.classifier.name))
    try:
        record = run.store.record("trial", trial.key)
        recorded = load_arrays(run.store.read(record, "predictions.safetensors"))
    except (MissingRecord, CorruptPayload):
        raise StorageProblem(f"{run.folder.url}: this trial is not done; run the grid's command again") from None
    use_threads(1)
    dataset = load(run.plan.data, cache)
    context = WorkerContext(run.store, dataset, Machine())
    member = Member(trial, context.images(trial), context.soft_labels(trial))
    outcome, weights = train_with_weights(member, dataset.val, dataset.test, dataset.num_classes, context.device)
    differ = outcome.predicted != recorded["predicted"]
    if differ.any() or not np.array_equal(outcome.probability, recorded["probability"]):
        made = record.made.get("device", "cpu")
        text = (
            f"trained again, this classifier is another: {int(differ.sum()):,} of {len(differ):,} predictions "
            f"differ, and probabilities. The recorded one was made on {made}, maybe by another "
            "processor or version of torch; run export there, or the grid again here in another --storage"
        )
        raise DataProblem(Message(text, code="not-the-same-classifier"))
    about = _about(run, row, dataset.shape, record.result["test_error"])
    try:
        out.mkdir(parents=True, exist_ok=True)
        save_file(weights, out / WEIGHTS, {"made_by": "synaug_ray", "trial_key": trial.key})
        (out / ABOUT).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        (out / CARD).write_text(_card(about), encoding="utf-8")
    except OSError as error:
        raise StorageProblem(f"--out {out} cannot be written ({error}); name another folder") from None
    return [
        f"{row.cell.classifier.name} in {out}: all {len(differ):,} predictions are the recorded ones, bit for bit",
        f"files    {WEIGHTS}, {ABOUT}, {CARD}",
    ]


def _mix(row: Row) -> str:
    return share_name(row.cell.protocol, row.cell.real_share, row.cell.real_weight)


def _about(run: RunStatus, row: Row, shape: tuple[int, int, int], error: float) -> dict:
    cell, trial = row.cell, row.trial
    return {
        "made_by": "synaug_ray",
        "run": run.name,
        "trial_key": trial.key,
        "recipe": trial.classifier.model_dump(mode="json"),
        "shape": list(shape),
        "pixels": "x / 127.5 - 1, from 0 to 255",
        "classes": list(class_names(run.folder)),
        "trained_on": {
            "dataset": run.spec.dataset,
            "source_fingerprint": run.plan.data.fingerprint,
            "num_real": cell.num_real,
            "draw": cell.draw,
            "seed": cell.seed,
            "num_synthetic": cell.num_synthetic,
            "generator": cell.arm if cell.generator is not None else None,
            "protocol": cell.protocol,
            "stages": None if trial.stages is None else trial.stages.model_dump(mode="json"),
            "real_share": _mix(row),
        },
        "test_error": error,
        "torch": torch.__version__,
    }


def _card(about: dict) -> str:
    of = about["trained_on"]
    mixed = f" and {of['num_synthetic']:,} synthetic ones of {of['generator']}" if of["generator"] else ""
    return f"""# {about["recipe"]["name"]}, trained by synaug_ray

An image classifier of {len(about["classes"])} classes ({", ".join(about["classes"][:10])}), for images of
{about["shape"][1]} x {about["shape"][2]} pixels and {about["shape"][0]} channels, scaled as {about["pixels"]}.

- Trained on {of["num_real"]:,} real images of `{of["dataset"]}` (draw {of["draw"]}){mixed}; protocol {of["protocol"]}.
- Error on the test images of that data set: {about["test_error"]:.1%}. It was measured once, on these images alone.
- Trained to measure what images are worth, not for use. It knows nothing of images unlike these.
- Trained again for this export: its predictions are those recorded in the run `{about["run"]}`, bit for bit.

Load it: `synaug_ray.classifiers.models.build` with the recipe and shape of `classifier.json`, then `load_state_dict` of
`classifier.safetensors`.
"""
