"""A Store on disk, and one in memory behind fsspec."""

import uuid

import fsspec
import pytest

from synaug_ray.store.store import Store


@pytest.fixture(params=["disk", "memory"])
def store(request, tmp_path):
    if request.param == "disk":
        yield Store(str(tmp_path / "store"))
    else:
        root = f"/{uuid.uuid4().hex}"
        yield Store(f"memory://{root}/store")
        if fsspec.filesystem("memory").exists(root):
            fsspec.filesystem("memory").rm(root, recursive=True)


@pytest.fixture
def disk(tmp_path):
    return Store(str(tmp_path / "store"))
