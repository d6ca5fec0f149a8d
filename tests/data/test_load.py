"""The door: names, options that do not apply, digits, and what identifies a data set."""

import subprocess
import sys

import numpy as np
import pytest
from helpers.image_files import bag, read

from synaug_ray.common.errors import UsageProblem
from synaug_ray.config.data_options import DataOptions
from synaug_ray.data.identify import BUILT_IN, identify

# --- digits -----------------------------------------------------------------------------------------------------


def test_digits_are_split_as_documented(digits):
    assert (len(digits.train), len(digits.val), len(digits.test)) == (1_000, 197, 600)
    assert digits.shape == (1, 8, 8) and digits.classes == tuple("0123456789")
    assert digits.train.images.dtype == np.uint8 and digits.train.images.max() == 255


def test_digits_splits_are_disjoint_and_complete(digits):
    from sklearn.datasets import load_digits

    whole = np.round(load_digits().images * (255 / 16)).astype(np.uint8)
    parts = [bag(p) for p in (digits.train, digits.val, digits.test)]
    assert sorted(sum(parts, [])) == sorted(i.tobytes() for i in whole)  # each of the 1,797 in one of them, once
    assert len({h for p in parts for h in p}) == sum(len(set(p)) for p in parts)  # digits has no duplicates across


def test_digits_splits_keep_the_class_proportions(digits):
    share = sum(np.bincount(p.labels) for p in (digits.train, digits.val, digits.test)) / 1_797
    for part in (digits.train, digits.val, digits.test):
        assert np.abs(np.bincount(part.labels) - share * len(part)).max() < 1.5


def test_digits_are_the_same_every_time_and_others_with_another_seed(digits, cache):
    again, other = read("digits", cache), read("digits", cache, split_seed=1)
    assert (again.test.images == digits.test.images).all()
    assert (other.test.images != digits.test.images).any() and len(other.test) == 600


def test_digits_of_another_size_and_mode(cache):
    large = read("digits", cache, size=16, mode="rgb")
    assert large.shape == (3, 16, 16)
    small = read("digits", cache, size=4)
    means = read("digits", cache).train.images.reshape(-1, 1, 4, 2, 4, 2).mean((3, 5))
    assert np.abs(small.train.images - means).max() <= 1  # halving averages squares of four


# --- names and options ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name,said",
    [
        (
            "cifr100",
            "dataset: no data set 'cifr100'. Did you mean 'cifar100'? Available: digits, cifar10, cifar100, mnist",
        ),
        ("CIFAR10", "dataset: no data set 'CIFAR10'. Available: digits"),
        ("digits:x", "dataset: no data set 'digits:x'. Did you mean 'digits'?"),
        ("folder:", "dataset: no data set 'folder:'"),
        ("npz:", "dataset: no data set 'npz:'"),
        ("s3:bucket", "dataset: no data set 's3:bucket'. Available: "),
    ],
)
def test_names_that_no_source_has(name, said):
    with pytest.raises(UsageProblem) as caught:
        identify(name, DataOptions())
    assert str(caught.value).startswith(said)
    assert str(caught.value).endswith(
        "folder:PATH, npz:FILE, parquet:PATH, medmnist:NAME[@SIZE], hf:OWNER/NAME[/CONFIGURATION][@REVISION]"
    )


def test_the_place_is_named_where_the_name_was_read():
    with pytest.raises(UsageProblem, match="^g.yaml:2: dataset: no data set 'x'"):
        identify("x", DataOptions(), "g.yaml:2: dataset")


@pytest.mark.parametrize(
    "dataset,options,names",
    [
        (
            "digits",
            {"group": "x", "image": "x", "label": "y", "on_bad": "drop", "ordinal": True},
            ["group", "image", "label", "on_bad", "ordinal"],
        ),
        ("cifar10", {"group": "x"}, ["group"]),
        ("folder:/nowhere", {"image": "x", "ordinal": True}, ["image", "ordinal"]),
        ("npz:/nowhere", {"on_bad": "drop", "label": "y"}, ["label", "on_bad"]),
    ],
)
def test_options_of_no_use_are_refused_all_at_once_before_anything_is_read(dataset, options, names):
    with pytest.raises(UsageProblem) as caught:
        identify(dataset, DataOptions(**options), "g.yaml")
    assert [s.split()[1] for s in caught.value.sentences] == [f"data.{name}" for name in names]
    assert all(
        s.startswith("g.yaml: data.") and f"does not apply to {dataset}, only to" in s for s in caught.value.sentences
    )


def test_every_option_is_part_of_the_identity():
    keys = {
        identify("digits", DataOptions(**o)).key
        for o in ({}, {"size": 16}, {"resize": "pad"}, {"mode": "rgb"}, {"split_seed": 1}, {"duplicates": "warn"})
    }
    assert len(keys) == 6


def test_identifying_needs_nothing_heavy_and_no_network():
    """A dry run does it for any grid, in an instant."""
    code = (
        "import sys; from synaug_ray.data.identify import BUILT_IN, identify; "
        "from synaug_ray.config.data_options import DataOptions; [identify(n, DataOptions()) for n in BUILT_IN]; "
        "print(sorted({'torch', 'ray', 'sklearn', 'pyarrow', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": ":".join(sys.path)}
    )
    assert done.stdout.strip() == "[]" and len(BUILT_IN) > 20


def test_a_later_option_at_its_default_stays_out_of_the_key():
    """What was made before it existed stays valid."""
    assert "leave_out" not in DataOptions().fields() and DataOptions(leave_out=("test",)).fields()["leave_out"] == [
        "test"
    ]
    assert DataOptions.model_validate({"leave_out": "test"}) == DataOptions(leave_out=("test", "test"))
