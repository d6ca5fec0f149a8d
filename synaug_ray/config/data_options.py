"""A grid's ``data:``: how images are read, cleaned and split. ``judge`` and ``test2`` alone change none of them."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictStr, model_validator

from synaug_ray.config.recipes import Count, Flag, Number

FULL = "full"  # data.judge: classifiers of all training images of the data set
MAX_AUDIT = 256  # pixels a side: copies are compared at 32 at most (data.duplicates.search), so more brings nothing
MAX_SIDE = 4_096  # pixels of images: one colour image is 50 MB then


def _one_or_several(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{', '.join(twice)} is given more than once; give each class its own name")
    return names


def _printable(name: str) -> str:
    if not name.isprintable() or name != name.strip():
        raise ValueError("the name of a class must be printable, without spaces at its ends")
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
        {"classes", "ground", "leave_out", "audit_size"}
    )  # not part of the key at its default, as in Recipe.later

    size: Count | None = None  # pixels a side; None keeps the images' size
    resize: Literal["crop", "pad", "stretch"] = (
        "crop"  # of images that are not square: centre crop, black bars, distort
    )
    mode: Literal["rgb", "gray"] | None = None
    # the background of transparent images. None means white, and is replaced by white when decoding finds a transparent
    # image: so sets of opaque images keep the keys from before this option, and others, which were misread, do not
    ground: Literal["white", "gray", "black"] | None = None
    split_seed: Annotated[int, Field(strict=True, ge=0, lt=2**32 - 1)] = 0  # 32 bits, as scikit-learn's seeds
    holdout: Annotated[Number, Field(gt=0, lt=1)] = 0.2  # share of images for testing, if there is no test split
    group: Annotated[StrictStr, Field(min_length=1, max_length=200)] | None = None
    # units whose images must stay in one split, such as patients. For a folder a regular expression with one group,
    # matched against the path inside it; for a table a column's name; for an .npz the suffix of arrays, train_<group>
    image: StrictStr | None = None  # a table's column of images; None: found automatically
    label: StrictStr | None = None  # a table's column of labels; None: found automatically
    duplicates: Literal["refuse", "warn", "drop-test"] | None = None  # test images that are also training images
    # pixels a side at which the audit searches for copies, where ``size`` is too small to tell them; None: ``size``
    audit_size: Annotated[Count, Field(le=MAX_AUDIT)] | None = None
    on_bad: Literal["refuse", "drop"] = "refuse"  # an image file, or an image in a table, that cannot be read
    ordinal: Flag = False  # treat ordinal grades as classes; their order is not used
    # splits of the source that are not read, for example without labels; images of train are held out instead
    leave_out: Annotated[
        tuple[Literal["val", "test"], ...],
        BeforeValidator(_one_or_several),
        AfterValidator(lambda splits: tuple(sorted(set(splits)))),
    ] = ()

    # names of classes that the source only numbers, in the order of their numbers. In the key, since a pretrained
    # generator may read them
    classes: Annotated[tuple[Name, ...], AfterValidator(_distinct)] = ()

    # whose classifiers judge whether a pool shows its classes: those of all training images of the data set, or of
    # another data source with the same classes. It changes no image: it is part of the keys of quality checks alone
    judge: Annotated[StrictStr, Field(min_length=1)] = FULL

    # another source with the same classes, such as another hospital's: every trial is measured on it too. It changes no
    # image of the data set: it is part of the keys of trials alone, which have to be trained again for it
    test2: Annotated[StrictStr, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _searched_larger(self) -> Self:
        if self.audit_size is not None and (self.size is None or self.audit_size <= self.size):
            now = "not given" if self.size is None else f"{self.size:,}"
            raise ValueError(
                f"audit_size: {self.audit_size:,} must be larger than size, which is {now}. Remove audit_size, and the "
                "audit searches the images that are trained on; or give a size"
            )
        return self

    def fields(self) -> dict[str, Any]:
        """What enters a key: all but ``judge`` and ``test2``, and the fields of ``later`` at their defaults."""
        untouched = {name for name in self.later if getattr(self, name) == type(self).model_fields[name].default}
        untouched |= {"judge", "test2"}
        return self.model_dump(mode="json", exclude=untouched)
