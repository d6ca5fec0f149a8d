"""The recipe of a pipeline of diffusers that was trained elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from synaug_ray.common.keys import folder_key
from synaug_ray.common.text import listed
from synaug_ray.config.any_generator import AnyGenerator
from synaug_ray.config.prompts import PROMPT, identified_prompts
from synaug_ray.config.recipes import Count, Recipe, invalid
from synaug_ray.config.sampling import OF_NOISE_LEVELS, Guide, Sampling, usable
from synaug_ray.config.weights import HUB

# Pipelines that begin with noise of the shape of an image or of its latents, and ask their scheduler for each step
GUIDED = ("ConsistencyModelPipeline", "DiTPipeline", "StableDiffusionPipeline", "StableDiffusionXLPipeline")
# Schedulers that can sample in these, but not add noise to an image
WITHOUT_NOISE = ("IPNDMScheduler", "DDIMInverseScheduler", "DPMSolverMultistepInverseScheduler", "SCMScheduler")


class PretrainedRecipe(AnyGenerator):
    """A diffusers pipeline trained elsewhere on other images, so open-set.

    Its key depends on the folder's content, not its path, or on the name on the hub with the commit.
    """

    samplers: ClassVar[tuple[str, ...]] = ("pipeline",)
    open_set: ClassVar[bool] = True
    trained_on: ClassVar[None] = None
    labels: ClassVar[frozenset[str]] = Recipe.labels | {"pipeline", "sampler", "guide", "prompts"}
    later: ClassVar[frozenset[str]] = frozenset({"prompts_content"})
    family: Literal["pretrained"] = "pretrained"
    pipeline: Annotated[str, Field(min_length=1)]  # a folder, or ``owner/name@commit`` on the hub
    content: str = ""  # of the folder: computed if empty, else checked
    class_ids: tuple[
        Annotated[int, Field(strict=True, ge=0)], ...
    ] = ()  # the pipeline's, one per class; () is 0, 1, ...
    prompt: str = PROMPT  # text-to-image
    words: tuple[str, ...] = ()  # in place of {label}, one per class; () is the classes' names
    prompts: str = ""  # a JSON file with sentences for each class, in place of prompt and words
    prompts_content: str = ""  # SHA-256 of the file: computed if empty, else checked
    size: Count | None = None  # pixels a side of a text-to-image pipeline's images; None is its default
    sampler: Sampling | None = None  # settings of its own, in place of those of the grid's sampler
    guide: Guide | None = None

    @field_validator("sampler")
    @classmethod
    def _samples(cls, value: Sampling | None) -> Sampling | None:
        return usable(value, cls.samplers, (*OF_NOISE_LEVELS, "guidance_interval"))

    @model_validator(mode="before")
    @classmethod
    def _identified(cls, values: Any) -> Any:
        if not isinstance(values, dict) or not isinstance(values.get("pipeline"), str):
            return values
        values = identified_prompts(values)
        where, given = values["pipeline"], values.get("content") or ""
        if HUB.fullmatch(where):
            return values | {"content": where}
        try:
            folder = Path(where).expanduser().resolve()  # absolute: workers run elsewhere
            found = (folder / "model_index.json").is_file()
        except (OSError, RuntimeError, ValueError) as error:  # name too long, unknown user, NUL character
            raise invalid("not-a-path", f"pipeline {where!r} is not a valid path ({error})") from None
        if found:
            found = folder_key(folder)
            if given and given != found:
                raise invalid(
                    "other-content",
                    f"pipeline {folder} has other files (content {found[:12]}) than the grid names (content "
                    f"{given[:12]}); remove `content:` to use the files as they are",
                )
            return values | {"pipeline": str(folder), "content": found}
        if given:
            return values  # identified by its content; the machine that loads it must have it
        raise invalid(
            "no-such-pipeline",
            f"pipeline {where!r} is neither a folder with a model_index.json nor a name on the hub with "
            "its commit (owner/name@40 hexadecimal digits; a branch or tag can move)",
        )

    @model_validator(mode="after")
    def _prompt_names_the_class(self) -> PretrainedRecipe:
        if "{label}" not in self.prompt:
            raise invalid(
                "prompt-without-label",
                f"{self.name}: the prompt {self.prompt!r} does not contain {{label}}, so it "
                "would be the same for all classes; add {label}",
            )
        return self


def cannot_guide(pipeline: str, scheduler: str) -> str:
    """Why a pipeline with a scheduler, each by the name of its class, cannot start from real images; '' if it can."""
    if pipeline not in GUIDED:
        return (
            f"a {pipeline} cannot start from real images; allowed with guide are {listed(GUIDED)}. Leave guide out, or "
            "give one of these"
        )
    if scheduler in WITHOUT_NOISE or scheduler.startswith("FlowMatch"):
        return (
            f"its {scheduler} cannot add noise to real images, which guide needs; allowed are schedulers with "
            "add_noise, such as DDIMScheduler or EulerDiscreteScheduler. Leave guide out, or change scheduler/ and "
            "model_index.json of the pipeline"
        )
    return ""


def without_guide(recipe: PretrainedRecipe) -> str:
    """Why a recipe's pipeline cannot start from real images; '' if it can, or if it is not in a folder here."""
    index = Path(recipe.pipeline) / "model_index.json"
    if HUB.fullmatch(recipe.pipeline) or not index.is_file():
        return ""
    try:
        parts = json.loads(index.read_text(encoding="utf-8"))
        return cannot_guide(str(parts["_class_name"]), str(parts.get("scheduler", ["", ""])[1]))
    except (ValueError, KeyError, TypeError, IndexError):
        return ""  # said where it is opened
