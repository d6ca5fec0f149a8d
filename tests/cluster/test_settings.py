"""How a machine is shared out, and what a user is told where there is no cluster to join."""

import signal

import pytest

from synaug_ray.cluster import settings
from synaug_ray.errors import RESOURCES, ResourceProblem


@pytest.mark.parametrize("gpu", [False, True])
def test_lanes_of_a_slot_fit_into_it_together(gpu):
    """No lane can hold what another needs: together they ask for no more than the slot."""
    slots = settings.Slots(1, gpu)
    for resource in slots.share(settings.TRAINER):
        lanes = (settings.TRAINER, settings.SAMPLER, settings.CLASSIFIER)
        assert sum(slots.share(lane)[resource] for lane in lanes) <= 1


def test_a_ray_that_does_not_start_is_a_sentence(monkeypatch):
    """Ray raises a bare Exception where a swamped machine does not start a node in 30 s."""
    def refuse(**_):
        raise Exception("The current node timed out during startup.")

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(settings.ray, "is_initialized", lambda: False)
    monkeypatch.setattr(settings.ray, "init", refuse)
    with pytest.raises(ResourceProblem, match="cannot start Ray on this machine .The current node timed out"):
        settings.connect()


def test_a_cluster_that_does_not_answer_is_a_sentence(monkeypatch):
    def refuse(**_):
        raise ConnectionError("Could not find any running Ray instance.\n  Details")

    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    monkeypatch.setattr(settings.ray, "is_initialized", lambda: False)
    monkeypatch.setattr(settings.ray, "init", refuse)
    with pytest.raises(ResourceProblem, match="cannot join the Ray cluster at 127.0.0.1:1 .*--local") as caught:
        settings.connect()
    assert caught.value.exit_code == RESOURCES


@pytest.mark.parametrize("before,after", [(None, 0o600), (0o640, 0o640)])
def test_a_token_that_ray_makes_for_a_cluster_of_its_own_is_its_owners_alone(monkeypatch, tmp_path, before, after):
    """Ray leaves it to the umask; a file that was there before is its owner's affair, and the doctor's."""
    path = tmp_path / ".ray" / "auth_token"
    path.parent.mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("RAY_ADDRESS", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)

    def write(mode):
        path.write_text("token")
        path.chmod(mode)

    if before:
        write(before)
    monkeypatch.setattr(settings.ray, "is_initialized", lambda: False)
    monkeypatch.setattr(settings.ray, "init", lambda **_: None if before else write(0o644))
    settings.connect()
    assert path.stat().st_mode & 0o777 == after


def test_who_asks_a_run_to_end_is_heard_by_the_run_and_not_by_ray(monkeypatch):
    """ray.init replaces the handler of SIGTERM, which a job is stopped with."""
    monkeypatch.setattr(settings.ray, "is_initialized", lambda: False)
    monkeypatch.setattr(settings.ray, "init", lambda **_: signal.signal(signal.SIGTERM, signal.SIG_IGN))
    before, ours = signal.getsignal(signal.SIGTERM), lambda *_: None
    signal.signal(signal.SIGTERM, ours)
    try:
        settings.connect()
        assert signal.getsignal(signal.SIGTERM) is ours
    finally:
        signal.signal(signal.SIGTERM, before)
