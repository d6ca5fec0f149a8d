"""One local Ray cluster for all of its tests: its own temporary folder, token authentication as Ray sets it."""

import shutil
import tempfile
from collections.abc import Iterator

import pytest
import ray

from synaug_ray.cluster.connection import _start


@pytest.fixture(scope="session")
def cluster() -> Iterator[None]:
    # pytest's own folders are too deep for the 107 bytes that a unix socket's path may have
    folder = tempfile.mkdtemp(prefix="synray")
    _start(  # once more where the machine was too busy for Ray's 30 s
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        _temp_dir=folder,
        # metrics are reported every 10 s by default, which is longer than a test's run, and workers have niceness 15,
        # which is little beside another worker of pytest
        _system_config={"metrics_report_interval_ms": 1_000, "worker_niceness": 0},
    )
    yield
    ray.shutdown()
    shutil.rmtree(folder, ignore_errors=True)
