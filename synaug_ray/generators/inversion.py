"""Dataset style inversion (arXiv 2403.19866): a word for the style of the Subset, learnt for a text-to-image pipeline.

Textual inversion (arXiv 2208.01618) of a whole data set instead of each class: the word's embedding is all that is
trained. It is saved as diffusers saves such, so that ``load_textual_inversion`` of the stock pipeline gives the same
images.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from safetensors.torch import load as load_safetensors
from torch import Tensor, nn

from synaug_ray.common.errors import DataProblem
from synaug_ray.config.text_recipes import TOKEN, InversionRecipe
from synaug_ray.data.images import ImageSet
from synaug_ray.generators.pretrained import PretrainedGenerator, from_pointer
from synaug_ray.generators.text_training import Lesson, fit, lesson_of, pointer_of
from synaug_ray.training.checkpoint import tensors_to_bytes
from synaug_ray.training.distributed import WHOLE, Split
from synaug_ray.training.loop import SaveState

FILE = "learned_embeds.safetensors"  # diffusers' name for it


class Word(nn.Module):
    """The embedding of the word, [D]."""

    def __init__(self, vector: Tensor) -> None:
        super().__init__()
        self.vector = nn.Parameter(vector.detach().clone())


@dataclass(frozen=True)
class InversionGenerator(PretrainedGenerator):
    """A reference to a pipeline, and the word that is added to its vocabulary."""

    embedding: bytes = b""  # safetensors: {word: [D]}

    def opened(self) -> Any:
        pipeline = super().opened()
        pipeline.load_textual_inversion(load_safetensors(self.embedding))
        return pipeline

    def files(self) -> dict[str, bytes]:
        """A pointer to the base, and the word as ``load_textual_inversion`` reads it."""
        plain = self.pointer() | {"family": "inversion"}
        return {"synaug.json": json.dumps(plain).encode(), FILE: self.embedding}


def from_files(files: dict[str, bytes]) -> InversionGenerator:
    """The inverse of ``InversionGenerator.files``."""
    return InversionGenerator(**from_pointer(json.loads(files["synaug.json"])), embedding=files[FILE])


def train(
    recipe: InversionRecipe,
    subset: ImageSet,
    classes: tuple[str, ...],
    seed: int,
    device: torch.device,
    state: bytes | None = None,
    save: SaveState | None = None,
    split: Split = WHOLE,
) -> tuple[InversionGenerator, int]:
    """Learn the word from ``subset`` alone; see ``base.Family.train``.

    Raises:
        DataProblem: if the base is missing, has changed or cannot be used, if its prompts do not fit the classes or are
            too long, or if it has the word already.
    """
    lesson = _with_token(lesson_of(recipe, subset, classes, seed, device), recipe.token)
    word = Word(_installed(recipe, lesson))
    now = _hooked(lesson.pipeline, recipe.token)
    mean, nimg = fit(recipe, [(lesson, word)], word, now, split, state, save, len(subset))
    assert isinstance(mean, Word)
    embedding = tensors_to_bytes({recipe.token: mean.vector}, {"format": "pt"})
    pointer = pointer_of(recipe, lesson, subset, np.bincount(subset.labels, minlength=len(classes)))
    return InversionGenerator(**pointer, embedding=embedding), nimg


def _with_token(lesson: Lesson, token: str) -> Lesson:
    return replace(lesson, sentences=tuple(tuple(s.replace(TOKEN, token) for s in said) for said in lesson.sentences))


def _installed(recipe: InversionRecipe, lesson: Lesson) -> Tensor:
    """Add the word to the vocabulary of the pipeline; returns the embedding that it starts from, [D]."""
    pipeline, name = lesson.pipeline, f"generators: {recipe.name}"
    tokenizer, table = pipeline.tokenizer, pipeline.text_encoder.get_input_embeddings().weight
    if recipe.token in tokenizer.get_vocab():
        raise DataProblem(
            f"{name}: the vocabulary of {recipe.base} has the token {recipe.token} already; give another, such as "
            "token: <my-style>",
            code="token-taken",
        )
    known = [i for i in tokenizer(recipe.initial, add_special_tokens=False).input_ids if i < len(table)]
    if not known:
        raise DataProblem(
            f"{name}: the vocabulary of {recipe.base} has no word of initial: {recipe.initial!r}; give words that it "
            "has, such as initial: style",
            code="token-initial",
        )
    first = table[known].detach().mean(0).clone()
    pipeline.load_textual_inversion({recipe.token: first})
    pipeline.text_encoder.requires_grad_(False)
    number = tokenizer.convert_tokens_to_ids(recipe.token)
    for sentence in (s for said in lesson.sentences for s in said):
        cut = tokenizer(sentence, truncation=True, max_length=tokenizer.model_max_length).input_ids
        if number not in cut:
            raise DataProblem(
                f"{name}: {sentence!r} is longer than the {tokenizer.model_max_length} tokens that {recipe.base} "
                f"reads, so that it does not get to {recipe.token}; shorten it, or name the style first",
                code="token-cut-off",
            )
    return first


def _hooked(pipeline: Any, token: str) -> Any:
    """Let the text encoder look up the word's embedding in the ``Word`` that the returned function is called with."""
    number, now = pipeline.tokenizer.convert_tokens_to_ids(token), {}

    def hook(module: nn.Module, args: tuple[Tensor, ...], out: Tensor) -> Tensor:
        word = now.get("word")
        return out if word is None else torch.where((args[0] == number).unsqueeze(-1), word.vector, out)

    pipeline.text_encoder.get_input_embeddings().register_forward_hook(hook)
    return lambda word: now.update(word=word)
