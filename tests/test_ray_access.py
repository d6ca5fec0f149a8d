"""The token and the dashboard: what the environment of a driver means to Ray, and what a user is told."""

import pytest

from synaug_ray.ray_access import access, judged


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ray").mkdir()
    return tmp_path


def token(path, mode=0o600):
    path.write_text("0123456789abcdef")
    path.chmod(mode)
    return path


@pytest.mark.parametrize("environment,joins,on", [
    ({}, False, True),  # Ray turns it on for a cluster of its own
    ({}, True, False),  # and never by itself for one at an address
    ({"RAY_AUTH_MODE": "token"}, True, True),
    ({"RAY_AUTH_MODE": "TOKEN"}, True, True),
    ({"RAY_AUTH_MODE": "disabled"}, False, False),
])
def test_whether_authentication_is_on(home, environment, joins, on):
    assert access(environment, joins).on is on


def test_where_the_token_is(home):
    own, other = token(home / ".ray" / "auth_token"), token(home / "other")
    assert access({}, False).holder == str(own)
    assert access({"RAY_AUTH_TOKEN_PATH": str(other)}, False).holder == str(other)
    both = access({"RAY_AUTH_TOKEN_PATH": str(other), "RAY_AUTH_TOKEN": "secret"}, False)
    assert both.holder == "$RAY_AUTH_TOKEN" and "secret" not in str(judged(both))


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_token_that_others_can_read_is_a_problem_with_its_cure(home, mode):
    path = token(home / ".ray" / "auth_token", mode)
    (row,) = judged(access({}, False))
    assert row.level == "problem" and f"mode 0{mode:o}" in row.means and row.means.endswith(f"chmod 600 {path}")
    assert "0123456789abcdef" not in row.means
    path.chmod(0o600)
    assert judged(access({}, False))[0].level == "ok"


@pytest.mark.parametrize("environment,joins,level,said", [
    ({}, False, "ok", "will be made in"),
    ({"RAY_AUTH_MODE": "token"}, True, "problem", "there is no token: no "),
    ({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "x"}, True, "ok", "is in $RAY_AUTH_TOKEN"),
    ({}, True, "note", "is off ($RAY_AUTH_MODE is not set)"),
    ({"RAY_AUTH_MODE": "disabled"}, False, "note", "is off (RAY_AUTH_MODE=disabled)"),
])
def test_what_is_said_of_a_token_that_is_not_in_a_file(home, environment, joins, level, said):
    (row,) = judged(access(environment, joins))
    assert row.level == level and said in row.means


@pytest.mark.parametrize("address,level", [
    ("127.0.0.1:8265", "ok"), ("localhost:8265", "ok"), ("[::1]:8265", "ok"), ("127.0.0.1", "ok"),
    ("10.0.0.7:8265", "note"), ("0.0.0.0:8265", "note"), ("127.0.0.1.example.com:80", "note"), ("[::]:8265", "note"),
])
@pytest.mark.parametrize("mode", ["token", "disabled"])
def test_a_dashboard_beyond_the_loopback_is_noted(home, address, level, mode):
    token(home / ".ray" / "auth_token")
    row = judged(access({"RAY_AUTH_MODE": mode}, True, address))[1]
    assert (row.what, row.level) == ("dashboard", level)
    assert ("can run code" in row.means) is (level == "note" and mode == "disabled")


def test_without_a_dashboard_nothing_is_said_of_it(home):
    assert [row.what for row in judged(access({}, False))] == ["token"]
