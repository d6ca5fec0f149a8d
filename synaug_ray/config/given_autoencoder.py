"""An autoencoder that a latent generator is given: a folder of diffusers' AutoencoderKL, identified by its content."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from synaug_ray.common.keys import file_digest
from synaug_ray.config.recipes import invalid

CONFIG, WEIGHTS = "config.json", "diffusion_pytorch_model.safetensors"
NEED = (
    "give a folder with these two files, as `AutoencoderKL.save_pretrained` writes them (a pipeline has one in vae/), "
    "or leave `autoencoder` out to train one on the real images"
)
UNUSED = ("autoencoder_share", "autoencoder_learning_rate", "kl_weight")  # fields of its training
SHAPE = {"autoencoder_channels": "block_out_channels", "latent_channels": "latent_channels"}  # field: in its config


def given_autoencoder(values: dict[str, Any]) -> dict[str, Any]:
    """A recipe's values with what the folder says: its absolute path, its content and the shape of its latents.

    Where the content is given and the folder is not here, nothing is read: it is checked when it is opened.

    Raises:
        PydanticCustomError: if the folder has no AutoencoderKL, other files than the values name, or if the values say
            how it should be trained.
    """
    where, known = values["autoencoder"], values.get("autoencoder_content") or ""
    try:
        folder = Path(where).expanduser().absolute()  # workers run elsewhere
        found = content(folder)
        config = json.loads((folder / CONFIG).read_text()) if found else {}
    except (OSError, RuntimeError, ValueError) as error:  # name too long, unknown user, NUL character, no JSON
        raise invalid("unreadable-autoencoder", f"autoencoder {where!r} cannot be read ({error}); {NEED}") from None
    if not found:
        if known:
            return values
        missing = " and ".join(name for name in (CONFIG, WEIGHTS) if not (folder / name).is_file())
        raise invalid("no-such-autoencoder", f"autoencoder {where!r} has no {missing}; {NEED}")
    if known and known != found:
        raise invalid(
            "other-content",
            f"autoencoder {where!r} has other files (content {found[:12]}) than the grid names (content {known[:12]}); "
            "remove `autoencoder_content:` to use the files as they are",
        )
    kind = config.get("_class_name") if isinstance(config, dict) else None
    if kind != "AutoencoderKL" or any(name not in config for name in SHAPE.values()):
        raise invalid(
            "not-an-autoencoder", f"autoencoder {where!r}: its {CONFIG} is of {kind}, not an AutoencoderKL; {NEED}"
        )
    useless = [name for name in UNUSED if name in values and not known]
    if useless:
        text = f"{', '.join(useless)} would train an autoencoder, and this one is given; remove one or the other"
        raise invalid("autoencoder-is-given", text)
    of_config = {field: config[name] for field, name in SHAPE.items()}
    other = [
        f"{field}: {values[field]} (its {CONFIG} says {now})"
        for field, now in of_config.items()
        if field in values and _plain(values[field]) != _plain(now)
    ]
    if other:
        raise invalid("autoencoder-is-given", f"{' and '.join(other)} is not the given autoencoder's; remove it")
    return values | of_config | {"autoencoder": str(folder), "autoencoder_content": found}


def content(folder: Path) -> str:
    """The SHA-256 of the weights followed by that of the configuration; empty if either file is missing."""
    files = [folder / WEIGHTS, folder / CONFIG]
    return "".join(file_digest(file) for file in files) if all(file.is_file() for file in files) else ""


def weights_of(folder: str, content: str) -> tuple[str, str]:
    """The path of the weights, and the SHA-256 that they must have."""
    return str(Path(folder) / WEIGHTS), content[:64]


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
