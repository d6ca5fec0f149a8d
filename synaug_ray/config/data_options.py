"""A grid's ``data:``: how images are read, cleaned and split. Every field affects the images, and so the keys."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictStr

from synaug_ray.config.recipes import Count, Flag, Number


def _one_or_several(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{', '.join(twice)} is there more than once; give each class a name of its own")
    return names


def _printable(name: str) -> str:
    if not name.isprintable() or name != name.strip():
        raise ValueError("a class is named by printable characters, without spaces around them")
    return name


Name = Annotated[StrictStr, Field(min_length=1, max_length=200), AfterValidator(_printable)]


class DataOptions(BaseModel):
    """How a source becomes training, validation and test images of one size and mode.

    A source's own splits are kept; missing ones are held out of its training images, stratified by
    class, and by group where there are groups. (torchvision's sets with test and without validation
    images use a tenth of their test images instead.) An option that does not apply to a source is an
    error.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    later: ClassVar[frozenset[str]] = frozenset(
        {"classes", "ground", "leave_out"}
    )  # at its default out of every key, as Recipe.later

    size: Count | None = None  # pixels a side; None keeps the images' size
    resize: Literal["crop", "pad", "stretch"] = (
        "crop"  # of images that are not square: centre crop, black bars, distort
    )
    mode: Literal["rgb", "gray"] | None = None
    # what transparent images are drawn on. None means white, and becomes white once decoding has shown one: so opaque
    # images keep the key that they had before, and transparent ones, whose hidden colours were read, do not
    ground: Literal["white", "gray", "black"] | None = None
    split_seed: Annotated[int, Field(strict=True, ge=0, lt=2**32 - 1)] = 0  # 32 bits, as scikit-learn's seeds
    holdout: Annotated[Number, Field(gt=0, lt=1)] = 0.2  # share of images for testing, where there is no test split
    group: Annotated[StrictStr, Field(min_length=1, max_length=200)] | None = None
    # what must not be split (such as a patient). For a folder a regular expression with one group, matched against the
    # path inside it; for a table a column's name; for an .npz the suffix of its arrays: train_<group> and so on
    image: StrictStr | None = None  # a table's column of images; None finds it
    label: StrictStr | None = None  # a table's column of labels; None finds it
    duplicates: Literal["refuse", "warn", "drop-test"] | None = None  # test images that are also training images
    on_bad: Literal["refuse", "drop"] = "refuse"  # an image file, or an image in a table, that cannot be read
    ordinal: Flag = False  # treat ordinal grades as classes; their order is not used
    # splits of the source that are not read, as where test images have no labels; images of train are held out instead
    leave_out: Annotated[
        tuple[Literal["val", "test"], ...],
        BeforeValidator(_one_or_several),
        AfterValidator(lambda splits: tuple(sorted(set(splits)))),
    ] = ()

    # names of classes that the source only numbers, in the order of their numbers. In the key, since a pretrained
    # generator may read them
    classes: Annotated[tuple[Name, ...], AfterValidator(_distinct)] = ()

    def fields(self) -> dict[str, Any]:
        """What enters a key: all but the fields of ``later`` at their defaults."""
        untouched = {name for name in self.later if getattr(self, name) == type(self).model_fields[name].default}
        return self.model_dump(mode="json", exclude=untouched)
