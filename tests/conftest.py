"""What many tests share: real digits, a small grid, and a folder to store in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from synaug_ray.data.images import Dataset
from synaug_ray.data.sources import identify, load
from synaug_ray.grid_yaml import Lines
from synaug_ray.plan import Plan, make_plan
from synaug_ray.spec import DataOptions, GridSpec, validate_grid
from synaug_ray.steps import DataIdentity

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def digits_identity() -> DataIdentity:
    return identify("digits", DataOptions())


@pytest.fixture(scope="session")
def digits(digits_identity: DataIdentity, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """scikit-learn's 1,797 real images, split as every run splits them."""
    return load(digits_identity, tmp_path_factory.mktemp("cache"))


def small_grid(**changes: Any) -> GridSpec:
    """A grid of a few seconds: 13 trials of a short MLP, one generator trained for a few steps."""
    edm = {"preset": "edm-tiny", "nimg": 640, "warmup_nimg": 64, "channels": [8, 16], "name": "edm"}
    mlp = {"preset": "mlp", "nimg": 3_200, "pack": 4, "name": "mlp"}
    values = {
        "dataset": "digits", "num_real": [20, 40], "synthetic_multiples": [0, 1],
        "generators": ["duplicate"], "classifiers": [mlp], "draws": 2, "seeds": 1, "replicates": 50,
        "sampler": {"preset": "dpmpp-8", "steps": 3, "batch": 16, "shard_size": 32},
        "blocks": [{"num_real": [20], "generators": [edm], "draws": 1}],
    }
    return validate_grid(values | changes, Lines("small.yaml"))


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
