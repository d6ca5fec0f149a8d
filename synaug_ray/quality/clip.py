"""How likely an image shows its class, by a CLIP model: how near it is to sentences about each class.

Zero-shot classification of Radford et al. (arXiv 2103.00020): the softmax over classes of the cosine between an image
and its class's sentences, times the model's own temperature. A class's vector is the mean of its sentences', each of
length 1.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate, normalize

from synaug_ray.common.errors import DataProblem, UsageProblem
from synaug_ray.common.keys import folder_key
from synaug_ray.common.packages import why_not_installed
from synaug_ray.common.text import one_line
from synaug_ray.config.filter_recipe import FilterRecipe
from synaug_ray.config.weights import HUB
from synaug_ray.data.images import ImageSet

BATCH = 64
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)  # of OpenAI's own


@dataclass(frozen=True)
class Clip:
    """A CLIP model with its tokenizer and its images' preprocessing."""

    model: Any  # transformers.CLIPModel
    tokenizer: Any
    size: int  # pixels a side
    mean: tuple[float, ...]  # of pixels in [0, 1], a channel
    std: tuple[float, ...]
    device: torch.device

    def of_texts(self, sentences: Sequence[Sequence[str]]) -> Tensor:
        """One vector of length 1 for each class, float32 [K, D]."""
        return torch.stack([normalize(self._texts(list(own)).mean(0), dim=0) for own in sentences])

    def of_images(self, images: ImageSet) -> Tensor:
        """One vector of length 1 for each of the uint8 images [N, C, H, W], float32 [N, D]."""
        mean, std = (torch.tensor(values, device=self.device).view(1, 3, 1, 1) for values in (self.mean, self.std))
        found = []
        for start in range(0, len(images), BATCH):
            x = torch.tensor(images.images[start : start + BATCH], device=self.device).float() / 255
            side = [self.size, self.size]
            x = interpolate(x.expand(-1, 3, -1, -1), side, mode="bicubic", antialias=True).clamp(0, 1)
            with torch.inference_mode():
                seen = self.model.vision_model(pixel_values=(x - mean) / std)
                found.append(normalize(self.model.visual_projection(seen.pooler_output).float(), dim=1))
        return torch.cat(found)

    def log_probabilities(self, images: ImageSet, texts: Tensor) -> NDArray[np.float64]:
        """Log-probabilities of the classes that ``texts`` [K, D] are of, float64 [N, K]."""
        with torch.inference_mode():
            cosine = (self.of_images(images) @ texts.T).double()
            return torch.log_softmax(self.model.logit_scale.double().exp() * cosine, 1).cpu().numpy()

    def _texts(self, sentences: list[str]) -> Tensor:
        most = self.model.config.text_config.max_position_embeddings
        asked = self.tokenizer(sentences, padding=True, truncation=True, max_length=most, return_tensors="pt")
        ids, mask = (asked[name].to(self.device) for name in ("input_ids", "attention_mask"))
        with torch.inference_mode():
            read = self.model.text_model(input_ids=ids, attention_mask=mask)
            return normalize(self.model.text_projection(read.pooler_output).float(), dim=1)


@dataclass
class OwnClass:
    """The log-probability of each image's own label; an image is looked at once, however many trials ask for it."""

    clip: Clip
    texts: Tensor  # [K, D]
    _known: dict[bytes, float] = field(default_factory=dict)

    def __call__(self, images: ImageSet) -> NDArray[np.float64]:
        """Float64 [N]."""
        pairs = zip(images.images, images.labels, strict=True)
        at = [
            blake2b(image.tobytes() + int(label).to_bytes(8, "little"), digest_size=16).digest()
            for image, label in pairs
        ]
        new = np.array([i for i, key in enumerate(at) if key not in self._known], np.int64)
        if len(new):
            log_p = self.clip.log_probabilities(images.take(new), self.texts)
            for i, one in zip(new, log_p[np.arange(len(new)), images.labels[new]], strict=True):
                self._known[at[i]] = float(one)
        return np.array([self._known[key] for key in at])


def own_class(recipe: FilterRecipe, classes: tuple[str, ...], device: torch.device) -> OwnClass:
    """The scores of a ``clip`` filter; raises as ``open_clip``."""
    clip = open_clip(recipe, device)
    return OwnClass(clip, clip.of_texts(recipe.sentences(classes)))


def open_clip(recipe: FilterRecipe, device: torch.device | str = "cpu") -> Clip:
    """Load the model that a ``clip`` filter names.

    Raises:
        UsageProblem: if transformers is not installed.
        DataProblem: if the files are missing, have changed, or are no CLIP model.
    """
    at = f"filters: {recipe.name}"
    if why := why_not_installed("transformers"):
        text = f"{at}: a clip filter needs transformers, {why}; pip install '.[text]', or use filters without weights"
        raise UsageProblem(text, code="not-installed")
    where, commit = recipe.weights, None
    if HUB.fullmatch(where):
        where, _, commit = where.partition("@")
    elif not Path(where).is_dir() or _content(where) != recipe.content:
        raise DataProblem(
            f"{at}: on {socket.gethostname()} {where} is missing or has changed (content {recipe.content[:12]}); put "
            "it there, or where all nodes can read it",
            code="weights-changed",
        )
    try:
        model, tokenizer, prepared = _loaded(where, commit)
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # transformers raises exceptions of many kinds
        raise DataProblem(
            f"{at}: {recipe.weights} cannot be used as a CLIPModel ({one_line(error, 200)}); give the folder of a "
            "CLIPModel of transformers with its tokenizer, whole, or owner/name@commit on the hub",
            code="weights-unusable",
        ) from None
    mean, std = (tuple(prepared.get(name) or usual) for name, usual in (("image_mean", MEAN), ("image_std", STD)))
    size = int(model.config.vision_config.image_size)
    return Clip(model.to(device).eval(), tokenizer, size, mean, std, torch.device(device))


def _loaded(where: str, commit: str | None) -> tuple[Any, Any, dict[str, Any]]:
    """The model, its tokenizer and the file that says how its images are prepared; {} without one."""
    from transformers import AutoTokenizer, CLIPModel
    from transformers.utils import cached_file

    pinned: dict[str, Any] = {} if commit is None else {"revision": commit}
    found: Any = CLIPModel.from_pretrained(where, use_safetensors=True, output_loading_info=True, **pinned)
    model, told = found
    if absent := sorted(name for name in told["missing_keys"] if "position_ids" not in name):
        raise ValueError(f"{len(absent)} of its weights are not in the file, such as {absent[0]}")
    tokenizer = AutoTokenizer.from_pretrained(where, **pinned)
    try:
        file = cached_file(where, "preprocessor_config.json", **pinned)
    except OSError:
        file = None
    return model, tokenizer, {} if file is None else json.loads(Path(file).read_text(encoding="utf-8"))


@lru_cache(maxsize=8)
def _content(folder: str) -> str:
    return folder_key(Path(folder))
