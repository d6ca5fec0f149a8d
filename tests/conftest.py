"""What many tests share: real digits, a small grid, and a folder to store in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.grids import small_grid
from helpers.paths import REPOSITORY

from synaug_ray.config.spec import DataOptions, GridSpec
from synaug_ray.data.images import Dataset
from synaug_ray.data.load import identify, load
from synaug_ray.plan.plan import Plan, make_plan
from synaug_ray.plan.steps import DataIdentity


@pytest.fixture(scope="session", autouse=True)
def cache_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What tests decode does not go where the user's is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache-home")))
        yield


@pytest.fixture(scope="session")
def digits_identity() -> DataIdentity:
    return identify("digits", DataOptions())


@pytest.fixture(scope="session")
def digits(digits_identity: DataIdentity, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """scikit-learn's 1,797 real images, split as every run splits them."""
    return load(digits_identity, tmp_path_factory.mktemp("cache"))


@pytest.fixture
def small(digits_identity: DataIdentity) -> tuple[GridSpec, Plan]:
    spec = small_grid()
    return spec, make_plan(spec, digits_identity)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real images beside the checkout, or where ``$SYNAUG_TEST_DATA`` says."""
    folder = Path(os.environ.get("SYNAUG_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no test images at {folder}; set SYNAUG_TEST_DATA")
    return folder
