"""How images are read, cleaned and split: what a grid's ``data:`` holds. Every field bears on the images."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictStr

from synaug_ray.config.recipes import Count, Number


class DataOptions(BaseModel):
    """How a source becomes training, validation and test images of one size and mode.

    A source's own splits are kept; what it lacks is held out of its training images, in class
    proportion, and by group where there are groups. (torchvision's sets that have test and no
    validation images give up a tenth of their test images instead.) An option that a source has no
    use for is refused.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: Count | None = None  # pixels a side; None keeps the images' own
    resize: Literal["crop", "pad", "stretch"] = "crop"  # of images that are not square: the middle, black bars, all
    mode: Literal["rgb", "gray"] | None = None
    split_seed: Annotated[int, Field(strict=True, ge=0, lt=2**32 - 1)] = 0  # scikit-learn takes 32 bits
    holdout: Annotated[Number, Field(gt=0, lt=1)] = 0.2  # share of images to test on, where there is no test split
    group: Annotated[StrictStr, Field(min_length=1, max_length=200)] | None = None
    # what must not be split (a patient): a regular expression with one group in parentheses, over the path inside a
    # folder; the name of a column of a table; of an .npz the name of arrays, beside train_images train_<group>
    image: StrictStr | None = None  # the column of a table that holds the images; None finds it
    label: StrictStr | None = None  # and the one of the labels
    duplicates: Literal["refuse", "warn", "drop-test"] | None = None  # of training images, among the test images
    on_bad: Literal["refuse", "drop"] = "refuse"  # a file, or an image in a table, that cannot be read
    ordinal: StrictBool = False  # grades taken as classes, knowingly
