"""What can be wrong with an object store is told in a line, before anything starts, and without a secret."""

import json
import subprocess
import sys
import time
import urllib.request

import boto3
import pytest
import s3fs
from helpers.paths import SMALL_GRID

from synaug_ray import grid, predict, status
from synaug_ray.common.errors import StorageProblem
from synaug_ray.report import __main__ as report
from synaug_ray.store.filesystem import check_reachable, open_url, reason, refuse_secrets
from synaug_ray.store.store import Store

GRID = str(SMALL_GRID)
DOORS = {
    "grid": lambda url: grid.main([GRID, "--storage", url, "--local"]),
    "dry run": lambda url: grid.main([GRID, "--storage", url, "--dry-run"]),
    "status": lambda url: status.main([f"{url}/small"]),
    "predict": lambda url: predict.main([f"{url}/small", "--real", "100"]),
    "report": lambda url: report.main([f"{url}/small"]),
}


@pytest.fixture
def doors(capsys):
    """Calls a door; its exit code and the one line on stderr. Nothing else may have been said."""

    def call(door, url):
        code = DOORS[door](url)
        said = capsys.readouterr()
        assert not said.out and "Traceback" not in said.err and len(said.err.splitlines()) == 1, said
        return code, said.err

    return call


@pytest.mark.parametrize("door", DOORS)
def test_no_such_bucket(gate, doors, door):
    code, said = doors(door, "s3://no-such-bucket-here/x")
    assert (
        code == 5 and "The specified bucket does not exist" in said and "create the bucket, or choose another" in said
    )


@pytest.mark.parametrize("door", DOORS)
def test_nobody_answers(gate, doors, door, monkeypatch):
    """A server that is not there: said after seconds, not after minutes of retries."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    started = time.monotonic()
    code, said = doors(door, "s3://bucket/x")
    assert time.monotonic() - started < 60  # 3 s in truth; a busy machine has its own clock
    assert code == 5 and "Could not connect to the endpoint URL" in said and "127.0.0.1:1" in said
    assert "AWS_ENDPOINT_URL" in said


def test_a_server_that_says_nothing(gate, doors, monkeypatch):
    """It takes the connection and never answers."""
    import socket

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(16)
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        started = time.monotonic()
        code, said = doors("status", "s3://bucket/x")
        assert code == 5 and 10 < time.monotonic() - started < 60
    assert "cannot read s3://bucket/x/small (" in said and "check its name and your connection" in said


def test_no_credentials_at_all(gate, doors, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    code, said = doors("grid", "s3://bucket/x")
    assert code == 5 and "Unable to locate credentials" in said and "AWS_ACCESS_KEY_ID" in said


@pytest.fixture
def strict(moto, bucket):
    """The server checks who asks: (key of a user who may do all, of one who may only read)."""
    iam = boto3.client("iam", endpoint_url=moto.url)
    keys = []
    for name, actions in (("all", ["s3:*"]), ("reader", ["s3:Get*", "s3:List*", "s3:Head*"])):
        name = f"{name}-{bucket}"
        iam.create_user(UserName=name)
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(policy))
        keys.append(iam.create_access_key(UserName=name)["AccessKey"])
    check(moto, "0")
    yield keys
    check(moto, "inf")


def check(moto, after):
    """How many requests moto lets pass before it checks credentials and policies."""
    urllib.request.urlopen(
        urllib.request.Request(
            f"{moto.url}/moto-api/reset-auth", after.encode(), {"Content-Type": "text/plain"}, method="POST"
        )
    )


def use(monkeypatch, moto, key, secret):
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto.url)  # a signature is of the host: the gate's is another
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    s3fs.S3FileSystem.clear_instance_cache()


def test_wrong_credentials(moto, strict, storage, doors, monkeypatch):
    may = strict[0]
    for key, secret, said in (
        ("AKIANOSUCHKEY0000000", "x", "does not exist in our records"),
        (may["AccessKeyId"], "wrong-secret", "signature we calculated does not match"),
    ):
        use(monkeypatch, moto, key, secret)
        for door in ("grid", "status"):
            code, line = doors(door, storage)
            assert code == 5 and said in line and "check that you may read and write it" in line
            assert "wrong-secret" not in line


def test_credentials_that_may_only_read(moto, strict, storage, capsys, monkeypatch):
    """They plan, and are refused before images are read."""
    use(monkeypatch, moto, strict[1]["AccessKeyId"], strict[1]["SecretAccessKey"])
    assert grid.main([GRID, "--storage", storage, "--dry-run"]) == 0
    capsys.readouterr()
    monkeypatch.setattr("synaug_ray.runs.lifecycle.load", lambda *args: pytest.fail("the images were read"))
    assert grid.main([GRID, "--storage", storage, "--local"]) == 5
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and f"cannot write to {storage}/store (" in said[0] and "check that you may" in said[0]
    use(monkeypatch, moto, strict[0]["AccessKeyId"], strict[0]["SecretAccessKey"])
    Store(f"{storage}/store").check_writable()


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    "url",
    [
        "s3://AKIAKEY:hush@bucket/x",
        "s3://AKIAKEY:hu/sh@bucket/x",
        "s3a://hush@bucket/x",
        "https://me:hush@host/x",
        "simplecache::s3://AKIAKEY:hush@bucket/x",
    ],
)
def test_a_secret_in_the_url_is_refused_and_not_shown(gate, doors, door, url):
    code, said = doors(door, url)
    assert code == 2 and "hush" not in said and "hu/sh" not in said and "AKIAKEY" not in said
    assert "the URL contains a password or a key" in said and "AWS_ACCESS_KEY_ID" in said
    assert gate.requests == []


@pytest.mark.parametrize(
    "url", ["s3://bucket/me@home/x", "sftp://me@host/x", "abfs://box@account.dfs.core/x", "/a:b@c/d", "s3://bucket/x"]
)
def test_what_is_no_secret(url):
    refuse_secrets(url)


def test_a_secret_in_the_endpoint_is_not_shown(gate, doors, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://me:hush@127.0.0.1:1")
    code, said = doors("status", "s3://bucket/x")
    assert code == 5 and "hush" not in said
    assert reason(OSError("no http://me:hush@host:1/b?x at all")) == "no http://***@host:1/b?x at all"


def test_without_s3fs():
    """In a process of its own, in which it cannot be imported."""
    code = (
        "import sys; sys.modules['s3fs'] = None; from synaug_ray import grid; "
        f"sys.exit(grid.main([{GRID!r}, '--storage', 's3://bucket/x', '--dry-run']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 5 and not done.stdout
    assert (
        done.stderr
        == "error: storage s3://bucket/x needs the package s3fs, which is not installed: pip install '.[s3]'\n"
    )


def test_an_unknown_protocol():
    with pytest.raises(StorageProblem, match="storage nosuch://x: "):
        open_url("nosuch://x")


def test_asking_whether_it_is_there_is_one_request(storage, gate, tmp_path):
    assert len(gate.during(lambda: check_reachable(storage))) == 1
    assert gate.during(lambda: check_reachable(str(tmp_path / "nowhere"))) == []
