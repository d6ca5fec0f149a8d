"""A trained generator that another starts from: a folder as ``export`` or a run writes it, known by its content."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synaug_ray.common.keys import file_digest

WEIGHTS, CONFIG, ABOUT = "unet/diffusion_pytorch_model.safetensors", "unet/config.json", "synaug.json"
FILES = (WEIGHTS, CONFIG, ABOUT)  # in the order of their digests in a content
EXPORTED = "generator"  # the sub-folder of an export that has the generator
FAMILIES = ("edm", "lora")  # whose U-Nets a low-rank change can start from
NEED = (
    "give the folder of an EDM generator, as `python -m synaug_ray.export RUN --generator G --num-real N --out FOLDER` "
    "writes it (FOLDER or FOLDER/generator)"
)
DIGITS = 64  # of a SHA-256


@dataclass(frozen=True)
class Base:
    """What the folder of a generator says of it."""

    shape: tuple[int, int, int]  # of its images: channels, height, width
    num_classes: int
    sigma_data: float  # standard deviation of its training images' pixels in [-1, 1]


@dataclass(frozen=True)
class Wrong:
    """What is wrong with a field of a recipe."""

    field: str
    code: str
    text: str


def with_base(values: Mapping[str, Any]) -> tuple[dict[str, Any], list[Wrong]]:
    """A recipe's values with what the folder ``base`` says: its path, content and network; and all that is wrong.

    Where ``base_content`` is given and the folder is not here, nothing is read: it is checked when it is opened.
    """
    where, known = values["base"], values.get("base_content") or ""
    try:
        folder = folder_of(where)
        found = content(folder)
        about, config = (_mapping(folder / name) if found else {} for name in (ABOUT, CONFIG))
    except (OSError, RuntimeError, ValueError) as error:  # name too long, unknown user, NUL character, no JSON
        return dict(values), [Wrong("base", "unreadable-base", f"base {where!r} cannot be read ({error}); {NEED}")]
    if not found:
        if known:
            return dict(values), []
        missing = ", ".join(name for name in FILES if not (folder / name).is_file())
        return dict(values), [Wrong("base", "no-such-base", f"base {where!r} lacks {missing}; {NEED}")]
    if known and known != found:
        text = (
            f"base {where!r} has other files (content {found[:12]}) than the grid names (content {known[:12]}); remove "
            "`base_content:` to use the files as they are"
        )
        return dict(values), [Wrong("base", "other-content", text)]
    kind = about.get("family", "edm")  # the oldest name none
    if kind not in FAMILIES:
        text = f"base {where!r} is a generator of family {kind!r}; allowed are {' and '.join(FAMILIES)}: {NEED}"
        return dict(values), [Wrong("base", "not-a-base", text)]
    if about.get("per_class"):
        text = f"base {where!r} has changes of its own for each class, and no one network to start from; {NEED}"
        return dict(values), [Wrong("base", "not-a-base", text)]
    try:
        base, of_network = _read(about), network_of(config)
    except (KeyError, TypeError, ValueError, IndexError):
        text = f"base {where!r}: its {ABOUT} or {CONFIG} is not that of an EDM generator; {NEED}"
        return dict(values), [Wrong("base", "not-a-base", text)]
    wrong = [
        Wrong(
            field,
            "of-the-base",
            f"{field} {_plain(values[field])} is not that of the base, whose network is kept: {_plain(now)}; remove it",
        )
        for field, now in of_network.items()
        if field in values and _plain(values[field]) != _plain(now)
    ]
    ids = values.get("class_ids") or ()
    beyond = [i for i in ids if isinstance(i, int) and i >= base.num_classes] if isinstance(ids, list | tuple) else []
    if beyond:
        text = (
            f"class_ids {', '.join(map(str, beyond))}: the base has {base.num_classes:,} classes, numbered from 0; "
            f"give numbers up to {base.num_classes - 1:,}, or leave class_ids out"
        )
        wrong.append(Wrong("class_ids", "base-classes", text))
    return {**values, **of_network, "base": str(folder), "base_content": found}, wrong


def network_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a ``UNetRecipe`` that a network's configuration says; raises KeyError for another network's."""
    down = config["down_block_types"]
    if config["_class_name"] != "UNet2DModel" or not set(down) <= {"DownBlock2D", "AttnDownBlock2D"}:
        raise ValueError(config["_class_name"])
    return {
        "channels": tuple(config["block_out_channels"]),
        "attention": tuple(name == "AttnDownBlock2D" for name in down),
        "layers_per_block": config["layers_per_block"],
        "norm_groups": config["norm_num_groups"],
        "dropout": config["dropout"],
        "conditioning": {"default": "add", "scale_shift": "scale-shift"}[config["resnet_time_scale_shift"]],
        "noise_frequencies": "rising" if config["freq_shift"] else "falling",
    }


def folder_of(where: str) -> Path:
    """The absolute path of a generator's folder, also of that which an export has it in."""
    folder = Path(where).expanduser().absolute()  # workers run elsewhere
    inside = folder / EXPORTED
    return inside if not (folder / ABOUT).is_file() and (inside / ABOUT).is_file() else folder


def content(folder: Path) -> str:
    """The SHA-256 of each of ``FILES`` in turn; empty if one is missing."""
    files = [folder / name for name in FILES]
    return "".join(map(file_digest, files)) if all(file.is_file() for file in files) else ""


def files_of(folder: str, content: str) -> dict[str, str]:
    """The SHA-256 that each file must have, by its path."""
    return {str(Path(folder) / name): content[i * DIGITS : (i + 1) * DIGITS] for i, name in enumerate(FILES)}


def base_in(folder: Path) -> Base | None:
    """What a folder says that has been checked; None if it is not on this machine."""
    return _read(_mapping(folder / ABOUT)) if (folder / ABOUT).is_file() else None


def _read(about: Mapping[str, Any]) -> Base:
    channels, height, width = about["shape"]
    return Base((int(channels), int(height), int(width)), len(about["class_counts"]), float(about["sigma_data"]))


def _mapping(file: Path) -> dict[str, Any]:
    read = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(read, dict):
        raise ValueError(f"{file.name} is no mapping")
    return read


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
