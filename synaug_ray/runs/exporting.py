"""The synthetic images of one Pool as files that other tools read, each of which says that it is synthetic."""

from __future__ import annotations

import io
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from synaug_ray.common.errors import DataProblem, Message, StorageProblem, UsageProblem, did_you_mean
from synaug_ray.config.generator_recipes import singles
from synaug_ray.config.protocols import JOINT
from synaug_ray.plan.hybrid import HybridPool
from synaug_ray.plan.steps import Pool
from synaug_ray.runs.classes import class_names
from synaug_ray.runs.pool_images import parts_of, pool_images
from synaug_ray.runs.run import RunStatus
from synaug_ray.store.run_folder import QUALITY
from synaug_ray.store.store import CorruptPayload

FORMATS = ("folder", "npz", "parquet")
REAL = ("real-holdout", "duplicate", "label-shuffle")  # references whose pools hold real images
SHOWN = 8
# what IPTC calls media made by a trained model, which photo tools read
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"


@dataclass(frozen=True)
class Chosen:
    """A Pool with all images that the run made of it, its classes and what is known of copies in it."""

    pool: Pool
    num_images: int
    classes: tuple[str, ...]
    copies: str  # a sentence where near-copies were found, '' where none were
    checked: bool  # whether a quality check looked for them


def choose(run: RunStatus, generator: str, num_real: int, draw: int) -> Chosen:
    """The Pool of one generator, number of real images and draw.

    Raises:
        UsageProblem: where the run has none, listing what it has, or where it holds real images.
    """
    pools: dict[tuple[str, int, int], tuple[Pool, int]] = {}
    for row in run.plan.rows:
        if row.trial.pool is not None and row.cell.generator is not None and row.cell.protocol != JOINT:
            at = (row.cell.generator.name, row.cell.num_real, row.cell.draw)
            pools[at] = (row.trial.pool, max(row.trial.num_raw, pools[at][1] if at in pools else 0))
    wanted = (generator, num_real, draw)
    if any(row.cell.arm == generator and row.cell.protocol == JOINT for row in run.plan.rows) and wanted not in pools:
        text = (
            f"{generator} has no images in this run: protocol {JOINT} measures its discriminator's head and samples "
            "none; add mixed to its protocols and run the grid again, or export another generator"
        )
        raise UsageProblem(Message(text, "--generator", "no-synthetic-images", generator))
    if wanted not in pools:
        raise UsageProblem(_absent(pools, wanted))
    pool, count = pools[wanted]
    if any(recipe.family in REAL for recipe in singles(pool.generator.recipe)):
        text = f"{generator} makes no images: it is a control whose pool holds real ones; name a generator"
        if isinstance(pool, HybridPool):
            text = f"{generator} holds real images, those of a part that is a control; name a generator, or its parts"
        raise UsageProblem(Message(text, "--generator", "no-synthetic-images", generator))
    if pool.sampler.start == "held-out" or pool.generator.recipe.held_out:
        text = f"{generator} re-makes real images that are held out: it is a control; name a generator"
        raise UsageProblem(Message(text, "--generator", "no-synthetic-images", generator))
    same = [q for q in run.plan.qualities.values() if q.pool.generator.recipe.key == pool.generator.recipe.key]
    at_size = [q for q in same if q.pool.generator.subset.num_real == pool.generator.subset.num_real]
    own = [q for q in at_size if q.pool.key == pool.key] or at_size
    found = [q for record in run.store.records("quality", [q.key for q in own]).values() if (q := _check(run, record))]
    copies = next((sentence for check in found if (sentence := _copies(check))), "")
    checked = any(check.get("memorization") for check in found)
    if not checked:  # by an older version, whose Records are not this plan's
        copies, checked = _told_on_the_page(run, generator, pool.generator.subset.num_real)
    return Chosen(pool, count, class_names(run.folder), copies, checked)


def refuse_copies(chosen: Chosen, read: bool) -> None:
    """Raises DataProblem where near-copies of real images were found, unless ``read`` says that this is known."""
    if chosen.copies and not read:
        text = (
            f"{chosen.copies} Whoever gets them may get real images. If they may be shared, or stay with you, give "
            "--i-have-read-the-copy-check"
        )
        raise DataProblem(Message(text, code="near-copies"))


def check_empty(out: Path) -> None:
    """Raise UsageProblem unless ``out`` is an empty folder or not there yet, StorageProblem if that cannot be seen."""
    try:
        holds = out.exists() and (not out.is_dir() or any(out.iterdir()))
    except OSError as error:  # another user's folder, too long a name
        text = f"--out {out} cannot be opened ({error.strerror}); name another folder"
        raise StorageProblem(text, code="out-not-writable") from None
    if holds:
        text = f"--out {out} is not an empty folder; name one that is empty or not there yet"
        raise UsageProblem(Message(text, "--out", "not-empty", str(out)))


def export(run: RunStatus, chosen: Chosen, out: Path, kind: str, most: int | None) -> list[str]:
    """Write the images, provenance.json and the generator's files; returns lines that say what was written.

    Args:
        out: a folder that is empty or not there yet.
        most: images at most; None takes all.

    Raises:
        UsageProblem: where ``out`` holds something.
        StorageProblem: where images are missing from the Store, or ``out`` cannot be written.
    """
    check_empty(out)
    count = chosen.num_images if most is None else min(most, chosen.num_images)
    images, labels = pool_images(run, chosen.pool, count)
    about = _provenance(run, chosen, len(images))
    try:
        out.mkdir(parents=True, exist_ok=True)
        {"folder": _folder, "npz": _npz, "parquet": _parquet}[kind](out, images, labels, chosen.classes, about)
        (out / "provenance.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        files = _generator_files(run, chosen, out / "generator")
    except OSError as error:
        raise StorageProblem(
            f"--out {out} cannot be written ({error}); name another folder", code="out-not-writable"
        ) from None
    told = [f"{len(images):,} synthetic images of {len(chosen.classes):,} classes in {out}", "origin   provenance.json"]
    return told + ([f"model    generator/ ({', '.join(files[:SHOWN])})"] if files else [])


def _absent(pools: dict[tuple[str, int, int], tuple[Pool, int]], wanted: tuple[str, int, int]) -> list[Message]:
    generator, num_real, draw = wanted
    names = sorted({name for name, _, _ in pools})
    if generator not in names:
        known = ", ".join(names) or "none"
        text = f"no generator {generator!r} in this run{did_you_mean(generator, names, '.')} It has: {known}"
        return [Message(text, "--generator", "unknown-generator", generator)]
    sizes = sorted({n for name, n, _ in pools if name == generator})
    if num_real not in sizes:
        text = f"{generator} has no images for {num_real:,} real ones, only for {', '.join(f'{n:,}' for n in sizes)}"
        return [Message(text, "--num-real", "unknown-size", str(num_real))]
    draws = sorted({d for name, n, d in pools if (name, n) == (generator, num_real)})
    text = f"there is no draw {draw}; this run has draws {draws[0]} to {draws[-1]}"
    return [Message(text, "--draw", "unknown-draw", str(draw))]


def _check(run: RunStatus, record: Any) -> dict[str, Any]:
    try:
        return json.loads(run.store.read(record, "quality.json"))
    except CorruptPayload:
        return {}


def _copies(check: dict[str, Any]) -> str:
    """Why the images of a quality check should not be shared, '' where nothing speaks against it."""
    for flag in check.get("flags") or ():
        if flag.get("word") == "copies":
            return str(flag["sentence"])
    found = check.get("memorization") or {}
    near, usual = found.get("near_copies") or {}, found.get("base_rate") or {}
    if near and usual and near["low"] > usual["high"]:
        return (
            f"{near['value']:.1%} of the images are near-copies of training images, more than among real images "
            f"({usual['value']:.1%})."
        )
    return ""


def _told_on_the_page(run: RunStatus, generator: str, num_real: int) -> tuple[str, bool]:
    """What the run's ``quality.json`` says of copies, and whether it says anything of these images."""
    table = run.folder.read_json(QUALITY) or {}
    for row in table.get("rows") or ():
        at: dict[str, Any] = dict(zip(table.get("columns") or (), row, strict=False))
        if at.get("generator") == generator and at.get("real images seen") == num_real:
            share = at.get("near-copies")
            if "copies" in str(at.get("found")):
                return f"{share or 'Many'} of the images are near-copies of training images.", True
            return "", share is not None
    return "", False


def _provenance(run: RunStatus, chosen: Chosen, count: int) -> dict[str, Any]:
    step = chosen.pool.generator
    return {
        "synthetic": True,
        "digital_source_type": SOURCE_TYPE,
        "made_by": "synaug_ray",
        "run": run.name,
        "generator": run.plan.names.get(chosen.pool.key, step.recipe.name),
        "generator_key": step.key,
        "pool_key": chosen.pool.key,
        "recipe": step.recipe.model_dump(mode="json"),
        "trained_on": {"dataset": run.spec.dataset, "images": step.subset.num_real, "draw": step.subset.draw},
        **({"parts": parts_of(chosen.pool, count)} if isinstance(chosen.pool, HybridPool) else {}),
        "source_fingerprint": run.plan.data.fingerprint,
        "source_key": run.plan.data.key,
        "images": count,
        "classes": list(chosen.classes),
        "copy_check": chosen.copies or ("no more near-copies than among real images" if chosen.checked else "not made"),
    }


def _name(classes: tuple[str, ...], label: int) -> str:
    return classes[label] if label < len(classes) else str(label)


def _folder_names(classes: tuple[str, ...], labels: np.ndarray) -> dict[int, str]:
    """A folder for each class: its name where that is a safe one, and unlike all others."""
    names: dict[int, str] = {}
    for label in sorted({int(one) for one in labels}):
        name = re.sub(r"[^\w .,+()-]", "_", _name(classes, label)).strip(" .") or f"class-{label}"
        names[label] = name if name.lower() not in {n.lower() for n in names.values()} else f"{name}-{label}"
    return names


def _png(image: np.ndarray, about: dict[str, Any], label: str) -> bytes:
    """One image [C, H, W] as a PNG whose text chunks say what it is."""
    told = PngInfo()
    for key in ("synthetic", "digital_source_type", "made_by", "generator", "generator_key", "source_fingerprint"):
        told.add_itxt(key, str(about[key]).lower() if key == "synthetic" else str(about[key]))
    told.add_itxt("label", label)
    out = io.BytesIO()
    Image.fromarray(_last(image)).save(out, "PNG", pnginfo=told)
    return out.getvalue()


def _last(images: np.ndarray) -> np.ndarray:
    """Channels last, or none where there is one: [..., C, H, W] -> [..., H, W(, 3)]."""
    return images[..., 0, :, :] if images.shape[-3] == 1 else np.moveaxis(images, -3, -1)


def _folder(out: Path, images: np.ndarray, labels: np.ndarray, classes: tuple[str, ...], about: dict[str, Any]) -> None:
    names, out = _folder_names(classes, labels), out / "images"
    for name in names.values():
        (out / name).mkdir(parents=True)
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        png = _png(image, about, _name(classes, int(label)))
        (out / names[int(label)] / f"synthetic-{i:06d}.png").write_bytes(png)


def _npz(out: Path, images: np.ndarray, labels: np.ndarray, classes: tuple[str, ...], about: dict[str, Any]) -> None:
    """MedMNIST's layout, of training images alone, and the provenance as JSON text."""
    named = np.array([_name(classes, k) for k in range(max(len(classes), int(labels.max(initial=0)) + 1))])
    arrays = {"train_images": _last(images), "train_labels": labels.astype(np.int64)[:, None], "classes": named}
    with open(out / "synthetic.npz", "wb") as file:
        np.savez_compressed(file, **arrays, provenance=np.array(json.dumps(about)))  # type: ignore[arg-type]


def _parquet(
    out: Path, images: np.ndarray, labels: np.ndarray, classes: tuple[str, ...], about: dict[str, Any]
) -> None:
    """The columns of Hugging Face's image sets, and ``synthetic``; the provenance is in the file's metadata."""
    names = [_name(classes, int(label)) for label in labels]
    pngs = [{"bytes": _png(image, about, name), "path": None} for image, name in zip(images, names, strict=True)]
    image = pa.array(pngs, pa.struct({"bytes": pa.binary(), "path": pa.string()}))
    table = pa.table({"image": image, "label": pa.array(names), "synthetic": pa.array([True] * len(names))})
    table = table.replace_schema_metadata({"synthetic": "true", "provenance": json.dumps(about)})
    pq.write_table(table, out / "synthetic.parquet")


def _generator_files(run: RunStatus, chosen: Chosen, into: Path) -> list[str]:
    """Copy the generator with its card, or each part of a hybrid; [] for one without files, such as jitter."""
    generators = chosen.pool.generators
    records = run.store.records("generator", [step.key for step in generators])
    written = []
    for step in generators:
        of_part = f"{step.recipe.trained_name}/" if isinstance(chosen.pool, HybridPool) else ""
        for name in records[step.key].files if step.key in records else ():
            to = into / of_part / name
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes(run.store.read(records[step.key], name))
            written.append(of_part + name)
    return sorted(written)
