"""One local Ray cluster for all of its tests: its own temporary folder, token authentication as Ray sets it."""

import shutil
import tempfile
from collections.abc import Iterator

import pytest
import ray


@pytest.fixture(scope="session")
def cluster() -> Iterator[None]:
    # pytest's own folders are too deep for the 107 bytes that a unix socket's path may have
    folder = tempfile.mkdtemp(prefix="synray")
    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        _temp_dir=folder,
        _system_config={"metrics_report_interval_ms": 1_000},
    )  # 10 s by default: longer than a test's run
    yield
    ray.shutdown()
    shutil.rmtree(folder, ignore_errors=True)
