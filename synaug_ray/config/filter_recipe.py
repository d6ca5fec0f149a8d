"""The recipe of filters: which images of a pool a trial keeps."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from synaug_ray.common.keys import folder_key
from synaug_ray.config.prompts import PROMPT, identified_prompts, sentences_of
from synaug_ray.config.recipes import Name, Number, Recipe, Share, invalid
from synaug_ray.config.weights import HUB

OF_CLIP = frozenset({"weights", "content", "prompt", "words", "prompts", "prompts_content", "threshold", "rule"})
CLIP_FILES = ("config.json", "model.safetensors")
NEED = (
    "give the folder of a CLIPModel of transformers (config.json, model.safetensors) with its tokenizer "
    "(tokenizer.json), or owner/name@commit on the hub"
)


class FilterRecipe(Recipe):
    """Which of a pool's images a trial keeps, by comparison with its own Subset only, never with other real images.

    - ``unconfident`` drops the ``share`` of each class that classifiers trained on the Subset are least confident of;
    - ``outliers`` drops the ``share`` of each class farthest from the real images' manifold;
    - ``copies`` drops images nearer to a real one than 99% of the real ones are to each other, up to half of them;
    - ``threshold`` keeps those to whose label these classifiers give more than the probability of a guess, up to half
      of the images, whichever come first (the rule of the CLIP filter of arXiv 2210.07574);
    - ``easy`` drops the ``share`` of each class of which these classifiers are most certain, and before it those that
      ``threshold`` would drop: hard images remain (after arXiv 2502.15588);
    - ``mismatched`` keeps 1 - ``share`` of each class, so that they are distributed as the real ones (kernel herding);
    - ``clip`` compares images with sentences about their classes, by a CLIP model that was trained on other images and
      texts, instead of with the Subset: those to whose own class it gives more than ``threshold`` are kept, by the same
      rule (arXiv 2210.07574), or all but the ``share`` that it thinks least likely;
    - ``relabelled`` keeps all, and is a control: labels that classifiers of *all* training images do not see are
      replaced by what they see (``quality.relabelling``).
    """

    labels: ClassVar[frozenset[str]] = Recipe.labels | {"weights", "prompts"}
    later: ClassVar[frozenset[str]] = frozenset({"content", "prompt", "words", "prompts_content", "threshold", "rule"})
    family: Literal[
        "none", "unconfident", "outliers", "copies", "threshold", "easy", "mismatched", "clip", "relabelled"
    ]
    name: Name
    share: Share = 0.2  # of each class that is dropped; unused for copies, threshold and relabelled
    # Of clip: a folder, or ``owner/name@commit`` on the hub; its content: computed if empty, else checked
    weights: str = ""
    content: str = ""
    prompt: str = PROMPT  # a sentence about each class
    words: tuple[str, ...] = ()  # in place of {label}, one per class; () is the classes' names
    prompts: str = ""  # a JSON file with sentences for each class, in place of prompt and words
    prompts_content: str = ""  # SHA-256 of the file: computed if empty, else checked
    threshold: Annotated[Number, Field(gt=0, lt=1)] | None = None  # a probability; None is that of a guess, 1/K
    rule: Literal["threshold", "share"] = "threshold"  # share: where that is given, and no threshold

    @property
    def relabels(self) -> bool:
        """Whether it changes labels instead of dropping images."""
        return self.family == "relabelled"

    @property
    def halves(self) -> bool:
        """Whether it may drop half of a pool instead of a share."""
        return self.family in ("copies", "threshold") or (self.family == "clip" and self.rule == "threshold")

    @property
    def needs_subset(self) -> bool:
        """Whether it compares images with the real ones of a cell."""
        return self.family not in ("none", "clip", "relabelled")

    def num_raw(self, num_synthetic: int) -> int:
        """Size of the pool from which ``num_synthetic`` images are chosen."""
        if self.family == "none" or self.relabels:
            return num_synthetic
        return math.ceil(round(num_synthetic / (0.5 if self.halves else 1 - self.share), 6))

    def sentences(self, classes: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
        """What ``clip`` compares images of each class with.

        Raises:
            ValueError: if there are too many or too few; says what to do.
            OSError: if the file of sentences is not here.
        """
        if self.prompts_content:
            return sentences_of(self.prompts, classes)
        if self.words and len(self.words) != len(classes):
            raise ValueError(f"{len(self.words)} words for {len(classes)} classes; give one each, in their order")
        words = self.words or [name.replace("_", " ") for name in classes]
        return tuple((self.prompt.replace("{label}", word),) for word in words)

    @model_validator(mode="before")
    @classmethod
    def _identified(cls, values: Any) -> Any:
        if not isinstance(values, dict) or values.get("family") != "clip":
            return values
        if "rule" not in values and values.get("share") is not None:
            if values.get("threshold") is not None:
                raise invalid(
                    "threshold-and-share",
                    f"threshold {values['threshold']} and share {values['share']} are two rules; give one of them",
                )
            values = values | {"rule": "share"}
        if not all(isinstance(values.get(name, ""), str) for name in ("weights", "content")):
            return values  # values of other types are reported field by field
        return identified_prompts(_with_content(values))

    @model_validator(mode="after")
    def _fits_its_family(self) -> FilterRecipe:
        fields = type(self).model_fields
        given = sorted(name for name in OF_CLIP if getattr(self, name) != fields[name].default)
        if self.family != "clip" and given:
            raise invalid(
                "not-of-this-filter",
                f"{self.name}: {', '.join(given)} is for family clip, got family {self.family}; leave it out, or set "
                "family: clip",
            )
        if "{label}" not in self.prompt:
            raise invalid(
                "prompt-without-label",
                f"{self.name}: the prompt {self.prompt!r} does not contain {{label}}, so it would be the same for all "
                "classes; add {label}",
            )
        return self


def _with_content(values: dict[str, Any]) -> dict[str, Any]:
    where, given = values.get("weights", ""), values.get("content") or ""
    if HUB.fullmatch(where):
        return values | {"content": where}
    if not where:
        raise invalid("no-weights", f"a clip filter needs `weights:`; {NEED}")
    try:
        folder = Path(where).expanduser().absolute()  # workers run elsewhere
        missing = [name for name in CLIP_FILES if not (folder / name).is_file()]
        found = "" if missing else folder_key(folder)
    except (OSError, RuntimeError, ValueError) as error:  # name too long, unknown user, NUL character
        raise invalid("unreadable-weights", f"weights {where!r} cannot be read ({error}); {NEED}") from None
    if found and given and given != found:
        raise invalid(
            "other-content",
            f"weights {where!r} has other files (content {found[:12]}) than the grid names (content {given[:12]}); "
            "remove `content:` to use the files as they are",
        )
    if not found and not given:
        raise invalid("no-such-weights", f"weights {where!r} lacks {', '.join(missing)}; {NEED}")
    return values | {"weights": str(folder), "content": found or given}
