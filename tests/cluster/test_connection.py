"""How Ray is started or joined, and what a user is told where it cannot be."""

import os
import signal
import subprocess
import sys
from contextlib import nullcontext

import pytest
from ray.exceptions import AuthenticationError
from ray.train.torch import TorchConfig

from synaug_ray.cluster import connection
from synaug_ray.cluster.trainers import NoProcessGroup
from synaug_ray.common.errors import RESOURCES, ResourceProblem


@pytest.fixture(autouse=True)
def nobody_else_tries(monkeypatch):
    monkeypatch.setattr(connection, "try_to_join", lambda address: None)


@pytest.mark.integration  # 9 s
def test_a_ray_of_our_own_reports_no_usage_statistics_unless_told_to():
    """As Ray itself reads its settings, in a process of its own, which has none of ours yet."""
    ask = "import synaug_ray.cluster; from ray._common.usage import usage_lib; print(usage_lib.usage_stats_enabled())"
    plain = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    for told, expected in ((plain, "False"), (plain | {"RAY_USAGE_STATS_ENABLED": "1"}, "True")):
        found = subprocess.run([sys.executable, "-c", ask], env=told, capture_output=True, text=True, timeout=120)
        assert found.stdout.strip() == expected, found.stderr


def test_a_ray_that_does_not_start_is_a_sentence(monkeypatch):
    """Ray raises a bare Exception where a swamped machine does not start a node in 30 s."""

    def refuse(**_):
        raise Exception("The current node timed out during startup.")

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(connection.ray, "is_initialized", lambda: False)
    monkeypatch.setattr(connection.ray, "init", refuse)
    with pytest.raises(ResourceProblem, match="cannot start Ray on this machine .The current node timed out"):
        connection.connect()


def test_ray_is_started_once_more_where_its_node_was_slow_and_for_no_other_reason(monkeypatch):
    said, ended = ["The current node timed out during startup.", ""], []

    def init(**_):
        if word := said.pop(0):
            raise Exception(word)

    monkeypatch.setattr(connection.ray, "init", init)
    monkeypatch.setattr(connection.ray, "shutdown", lambda: ended.append(1))
    connection._start()
    assert not said and len(ended) == 1
    said += ["no memory", ""]
    with pytest.raises(Exception, match="no memory"):
        connection._start()
    assert len(said) == 1 and len(ended) == 1


def test_a_cluster_that_does_not_answer_is_a_sentence(monkeypatch):
    def refuse(**_):
        raise ConnectionError("Could not find any running Ray instance.\n  Details")

    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    monkeypatch.setattr(connection.ray, "is_initialized", lambda: False)
    monkeypatch.setattr(connection.ray, "init", refuse)
    with pytest.raises(ResourceProblem, match="cannot join the Ray cluster at 127.0.0.1:1 .*--local") as caught:
        connection.connect()
    assert caught.value.exit_code == RESOURCES


def test_a_missing_or_wrong_token_is_a_sentence(monkeypatch):
    def refuse(**_):
        raise AuthenticationError("Token authentication is enabled but no authentication token was found")

    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    monkeypatch.setattr(connection.ray, "is_initialized", lambda: False)
    monkeypatch.setattr(connection.ray, "init", refuse)
    with pytest.raises(ResourceProblem, match="refused the token, or none is set"):
        connection.connect()


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_the_token_that_a_run_makes_is_its_users_alone(home):
    """Ray itself writes it with the mode that the umask leaves, 0644 mostly."""
    connection.own_token()
    file = home / ".ray" / "auth_token"
    assert file.stat().st_mode & 0o777 == 0o600 and file.parent.stat().st_mode & 0o777 == 0o700
    token = file.read_text()
    assert len(bytes.fromhex(token)) == 32
    connection.own_token()
    assert file.read_text() == token


def test_a_token_that_is_there_stays_as_it_is(home):
    file = home / ".ray" / "auth_token"
    file.parent.mkdir()
    file.write_text("theirs")
    file.chmod(0o640)
    connection.own_token()
    assert file.read_text() == "theirs" and file.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    "name,value", [("RAY_AUTH_MODE", "disabled"), ("RAY_AUTH_TOKEN", "abc"), ("RAY_AUTH_TOKEN_PATH", "/elsewhere")]
)
def test_no_token_is_made_where_another_is_meant(home, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    connection.own_token()
    assert not (home / ".ray").exists()


def no_file(home):
    (home / "file").write_text("")
    return str(home / "file")


def empty(home):
    (home / ".ray").mkdir()
    (home / ".ray" / "auth_token").write_text("\n")
    return str(home)


def a_folder(home):
    (home / ".ray" / "auth_token").mkdir(parents=True)
    return str(home)


@pytest.mark.parametrize("broken", [no_file, empty, a_folder, lambda home: "/proc/1/nowhere"])
def test_a_home_that_cannot_keep_the_token_is_done_without(broken, home, monkeypatch):
    """Each run has one of its own then, and hands it on in the environment."""
    monkeypatch.setenv("HOME", broken(home))
    connection.own_token()
    assert len(bytes.fromhex(connection.os.environ["RAY_AUTH_TOKEN"])) == 32
    monkeypatch.delenv("RAY_AUTH_TOKEN")


def test_without_any_home_there_is_a_token(home, monkeypatch):
    monkeypatch.setattr(connection.Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    connection.own_token()
    assert connection.os.environ["RAY_AUTH_TOKEN"]
    monkeypatch.delenv("RAY_AUTH_TOKEN")


@pytest.mark.parametrize(
    "value,joined", [(None, ""), ("", ""), (" ", ""), ("local", ""), ("auto", "auto"), ("127.0.0.1:6379",) * 2]
)
def test_an_address_that_is_empty_or_local_is_a_ray_of_our_own(value, joined, monkeypatch):
    """As Ray itself takes it; otherwise it would stay behind after the run, with a dashboard."""
    asked = {}
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    if value is not None:
        monkeypatch.setenv("RAY_ADDRESS", value)
    monkeypatch.setattr(connection.ray, "is_initialized", lambda: False)
    monkeypatch.setattr(connection.ray, "init", lambda **words: asked.update(words))
    monkeypatch.setattr(connection, "await_worker", lambda *_: None)
    monkeypatch.setattr(connection, "logs", lambda: None)
    monkeypatch.setattr(connection._started, "remote", lambda: None)
    assert connection.address() == joined and connection.joins() == bool(joined)
    connection.connect()
    assert (asked.get("address"), asked.get("include_dashboard")) == ((None, None) if joined else ("local", False))
    assert ("RAY_ADDRESS" in connection.os.environ) == bool(joined)


def test_below_uv_run_workers_of_our_own_ray_are_started_as_ever():
    """Ray would upload the working directory and start them by ``uv run`` in a copy, without this package."""
    script = (
        "import synaug_ray.cluster; from ray._private import worker; "
        "import ray._private.runtime_env.uv_runtime_env_hook as hook; "
        "hook._get_uv_run_cmdline = lambda: ['uv', 'run', 'python']; "
        "print(worker._maybe_modify_runtime_env({}, False))"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert done.stdout == "{}\n", done.stderr


def test_who_asks_a_run_to_end_is_heard_by_the_run_and_not_by_ray(monkeypatch, home):
    """ray.init replaces the handler of SIGTERM, which a job is stopped with."""
    monkeypatch.setattr(connection.ray, "is_initialized", lambda: False)
    monkeypatch.setattr(connection.ray, "init", lambda **_: signal.signal(signal.SIGTERM, signal.SIG_IGN))
    monkeypatch.setattr(connection, "await_worker", lambda *_: None)
    monkeypatch.setattr(connection, "logs", lambda: None)
    monkeypatch.setattr(connection._started, "remote", lambda: None)
    before, ours = signal.getsignal(signal.SIGTERM), lambda *_: None
    signal.signal(signal.SIGTERM, ours)
    try:
        connection.connect()
        assert signal.getsignal(signal.SIGTERM) is ours
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_trainer_s_worker_touches_no_gpu_before_it_has_its_own():
    """Ray's context would call CUDA on the GPU that Ray chose, and a process keeps what it has touched."""
    context = NoProcessGroup().train_func_context
    assert context is not TorchConfig().train_func_context and context is nullcontext
