"""An S3 server for these tests alone: a process on loopback, credentials that are none, a bucket a test."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from helpers.s3_server import Gate, Moto

pytest.importorskip("moto", reason="needs moto's S3 server: pip install '.[test]'")
s3fs = pytest.importorskip("s3fs", reason="needs s3fs: pip install '.[test]'")

OTHERS = (
    "AWS_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_MAX_ATTEMPTS",
    "AWS_RETRY_MODE",
    "AWS_ENDPOINT_URL_S3",
    "AWS_REGION",
    "SYNAUG_STORAGE",
)


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    server = Moto(tmp_path_factory.mktemp("moto") / "log")
    yield server
    server.stop()


@pytest.fixture
def gate(moto: Moto, monkeypatch: pytest.MonkeyPatch, tmp_path) -> Iterator[Gate]:
    """What AWS_ENDPOINT_URL points to during a test."""
    gate = Gate(moto.port)
    for name in OTHERS:
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_ENDPOINT_URL": gate.url,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
    }.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()  # they keep the endpoint of the test before
    yield gate
    s3fs.S3FileSystem.clear_instance_cache()
    gate.stop()


@pytest.fixture
def bucket(gate: Gate) -> str:
    """The name of a new bucket."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    s3fs.S3FileSystem(use_listings_cache=False).mkdir(name)
    gate.requests.clear()
    return name


@pytest.fixture
def storage(bucket: str) -> str:
    return f"s3://{bucket}/some/where"
