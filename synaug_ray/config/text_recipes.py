"""Recipes of what is trained of a text-to-image pipeline on a Subset: low-rank changes, or one word for its style."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, ModelWrapValidatorHandler, field_validator, model_validator
from pydantic_core import PydanticCustomError

from synaug_ray.common.keys import folder_key
from synaug_ray.common.text import listed
from synaug_ray.config.any_generator import AnyGenerator
from synaug_ray.config.every_problem import validated
from synaug_ray.config.given_base import ABOUT, Wrong, folder_of
from synaug_ray.config.lora_recipe import without_passes
from synaug_ray.config.prompts import PROMPT, identified_prompts, read_prompts
from synaug_ray.config.recipes import Count, Flag, NotNegative, Positive, invalid
from synaug_ray.config.sampling import OF_NOISE_LEVELS, Guide, Sampling, usable
from synaug_ray.config.trained_recipes import TrainedRecipe
from synaug_ray.config.weights import HUB

INDEX = "model_index.json"
BASES = ("StableDiffusionPipeline",)  # pipelines with one text encoder that is asked as this one's is
NEED = (
    f"give the folder of a {listed(BASES)} as diffusers saves it, with its {INDEX}, or owner/name@commit on the hub "
    "(40 hexadecimal digits)"
)
TOKEN = "{token}"  # in a prompt: the word that is learnt


class TextRecipe(TrainedRecipe):
    """A text-to-image pipeline that was trained elsewhere, of which a small part is trained on the Subset.

    Its key depends on the content of the pipeline's folder, not on its path, or on the name on the hub with the commit.
    """

    labels: ClassVar[frozenset[str]] = AnyGenerator.labels | {"base", "prompts", "guide", "sampler"}
    samplers: ClassVar[tuple[str, ...]] = ("pipeline",)
    base: Annotated[str, Field(min_length=1)]  # a folder, or ``owner/name@commit`` on the hub
    base_content: str = ""  # of the folder: computed if empty, else checked
    prompt: str = PROMPT
    words: tuple[str, ...] = ()  # in place of {label}, one per class; () is the classes' names
    prompts: str = ""  # a JSON file with sentences for each class, in place of prompt and words
    prompts_content: str = ""  # SHA-256 of the file: computed if empty, else checked
    size: Count | None = None  # pixels a side of the pipeline's images; None is its default
    nimg: Count = 6_400
    batch: Count = 8
    learning_rate: Positive = 1e-4
    weight_decay: NotNegative = 0.01
    warmup_nimg: Count = 640
    ema_half_life: Positive = 640
    guide: Guide | None = None
    sampler: Sampling | None = None  # settings of its own, in place of those of the grid's sampler

    @field_validator("sampler")
    @classmethod
    def _samples(cls, value: Sampling | None) -> Sampling | None:
        return usable(value, cls.samplers, (*OF_NOISE_LEVELS, "guidance_interval"))

    @property
    def class_ids(self) -> tuple[int, ...]:
        """None: it has prompts in their place."""
        return ()

    @property
    def pipeline(self) -> str:
        """Where the pipeline is."""
        return self.base

    @property
    def content(self) -> str:
        """Of the pipeline's folder."""
        return self.base_content

    @model_validator(mode="wrap")
    @classmethod
    def _identified(cls, values: Any, handler: ModelWrapValidatorHandler[TextRecipe]) -> TextRecipe:
        """Validate with what the files say; all that is wrong with these or with other fields is reported together."""
        if not isinstance(values, dict):
            return handler(values)
        wrong: list[Wrong] = []
        try:
            values = identified_prompts(values, cls.model_fields["prompt"].default)
        except PydanticCustomError as error:
            wrong.append(Wrong("prompts", error.type, error.message()))
        if isinstance(values.get("base"), str) and values["base"]:
            if isinstance(values.get("base_content", ""), str):
                values, more = _with_base(values)
                wrong += more
        return validated(cls.__name__, handler, values, wrong)

    @model_validator(mode="after")
    def _prompt_names_the_class(self) -> TextRecipe:
        if "{label}" not in self.prompt:
            raise invalid(
                "prompt-without-label",
                f"{self.name}: the prompt {self.prompt!r} does not contain {{label}}, so it would be the same for all "
                "classes; add {label}",
            )
        return self


def _with_base(values: dict[str, Any]) -> tuple[dict[str, Any], list[Wrong]]:
    """A recipe's values with the absolute path and the content of its base; and what is wrong with it."""
    where, given = values["base"], values.get("base_content") or ""
    if HUB.fullmatch(where):
        return values | {"base_content": where}, []
    try:
        folder = Path(where).expanduser().absolute()  # workers run elsewhere
        parts = json.loads((folder / INDEX).read_text(encoding="utf-8")) if (folder / INDEX).is_file() else None
        kind = parts["_class_name"] if parts is not None else ""
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        return values, [Wrong("base", "unreadable-base", f"base {where!r} cannot be read ({error}); {NEED}")]
    if parts is None:
        if given:
            return values, []  # identified by its content; the machine that trains it must have it
        return values, [Wrong("base", "no-such-base", f"base {where!r} lacks {INDEX}; {NEED}")]
    if kind not in BASES:
        text = f"base {where!r} is a {kind}; allowed is {listed(BASES)}: {NEED}"
        return values, [Wrong("base", "not-a-text-base", text)]
    found = folder_key(folder)
    if given and given != found:
        text = (
            f"base {where!r} has other files (content {found[:12]}) than the grid names (content {given[:12]}); remove "
            "`base_content:` to use the files as they are"
        )
        return values, [Wrong("base", "other-content", text)]
    return values | {"base": str(folder), "base_content": found}, []


class TextLoraRecipe(TextRecipe):
    """LoRA (arXiv 2106.09685) of a text-to-image pipeline's attention, as DataDream has it (arXiv 2407.10910)."""

    family: Literal["lora"] = "lora"
    rank: Count = 16  # of the change of each matrix; no more than its rows and columns
    alpha: Positive = 16.0  # a change is scaled by alpha / rank
    text_encoder: Flag = True  # whether the attention of the text encoder changes too
    per_class: Flag = False  # changes of their own for each class, each trained for nimg images of it

    @model_validator(mode="after")
    def _each_class_has_a_length(self) -> TextLoraRecipe:
        without_passes(self.name, self.per_class, self.max_passes)
        return self


class InversionRecipe(TextRecipe):
    """A word for the style of the data set, learnt as one embedding (dataset style inversion, arXiv 2403.19866)."""

    family: Literal["inversion"] = "inversion"
    token: str = "<style>"  # the new word, in angle brackets: no prompt has it by chance
    initial: Annotated[str, Field(min_length=1)] = "style"  # the words whose mean embedding it starts from
    prompt: str = f"a photo of a {{label}} in the style of {TOKEN}"
    learning_rate: Positive = 5e-4
    weight_decay: NotNegative = 0.0

    @field_validator("token")
    @classmethod
    def _is_a_new_word(cls, value: str) -> str:
        if not re.fullmatch(r"<[A-Za-z0-9_-]{1,60}>", value):
            raise invalid(
                "token-form",
                f"token {value!r} is not a word of letters, digits, _ and - in angle brackets; give one, such as "
                "<style>",
            )
        return value

    @model_validator(mode="after")
    def _prompts_have_the_token(self) -> InversionRecipe:
        if self.prompts:
            told = read_prompts(self.prompts) if Path(self.prompts).is_file() else {}
            sentences = [sentence for found in told.values() for sentence in found]
        else:
            sentences = [self.prompt]
        without = [s for s in sentences if TOKEN not in s and self.token not in s]
        if without:
            raise invalid(
                "prompt-without-token",
                f"{self.name}: {without[0]!r} does not contain the word that is learnt; add {TOKEN} or {self.token} "
                f"to {'each sentence of prompts' if self.prompts else 'the prompt'}",
            )
        return self


TEXT_FIELDS = frozenset({"prompt", "words", "prompts", "text_encoder"})  # that a class-conditional base has not


def of_text(values: Mapping[str, Any]) -> bool:
    """Whether a recipe of family ``lora`` is one of a text-to-image pipeline: its base says so, else its fields."""
    where = values.get("base")
    if isinstance(where, str) and where:
        if HUB.fullmatch(where):
            return True
        try:
            folder = folder_of(where)
            if (folder / ABOUT).is_file():
                return False
            if (folder / INDEX).is_file():
                return True
        except (OSError, RuntimeError, ValueError):  # said where the base is read
            pass
    return bool(TEXT_FIELDS & values.keys())
