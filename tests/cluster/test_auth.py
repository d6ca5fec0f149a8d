"""The token and the dashboard: what the environment of a driver means to Ray, and what a user is told."""

from pathlib import Path

import pytest

from synaug_ray.cluster.auth import access, auth_findings, why_not_joined


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ray").mkdir()
    return tmp_path


def token(path, mode=0o600):
    path.write_text("0123456789abcdef")
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    "environment,joins,on",
    [
        ({}, False, True),  # Ray turns it on for a cluster of its own
        ({}, True, False),  # and never by itself for one at an address
        ({"RAY_AUTH_MODE": "token"}, True, True),
        ({"RAY_AUTH_MODE": "TOKEN"}, True, True),
        ({"RAY_AUTH_MODE": "disabled"}, False, False),
    ],
)
def test_whether_authentication_is_on(home, environment, joins, on):
    assert access(environment, joins).on is on


def test_where_the_token_is(home):
    own, other = token(home / ".ray" / "auth_token"), token(home / "other")
    assert access({}, False).holder == str(own)
    assert access({"RAY_AUTH_TOKEN_PATH": str(other)}, False).holder == str(other)
    both = access({"RAY_AUTH_TOKEN_PATH": str(other), "RAY_AUTH_TOKEN": "secret"}, False)
    assert both.holder == "$RAY_AUTH_TOKEN" and "secret" not in str(auth_findings(both))


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_token_that_others_can_read_is_a_problem_with_its_cure(home, mode):
    path = token(home / ".ray" / "auth_token", mode)
    (row,) = auth_findings(access({}, False))
    assert row.level == "problem" and f"mode 0{mode:o}" in row.means and row.means.endswith(f"chmod 600 {path}")
    assert "0123456789abcdef" not in row.means
    path.chmod(0o600)
    assert auth_findings(access({}, False))[0].level == "ok"


@pytest.mark.parametrize(
    "environment,joins,level,said",
    [
        ({}, False, "ok", "will be created in"),
        ({"RAY_AUTH_MODE": "token"}, True, "problem", "there is no token at "),
        ({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "x"}, True, "ok", "is in $RAY_AUTH_TOKEN"),
        ({}, True, "note", "is off ($RAY_AUTH_MODE is not set)"),
        ({"RAY_AUTH_MODE": "disabled"}, False, "note", "is off (RAY_AUTH_MODE=disabled)"),
    ],
)
def test_what_is_said_of_a_token_that_is_not_in_a_file(home, environment, joins, level, said):
    (row,) = auth_findings(access(environment, joins))
    assert row.level == level and said in row.means


@pytest.mark.parametrize(
    "address,level",
    [
        ("127.0.0.1:8265", "ok"),
        ("localhost:8265", "ok"),
        ("[::1]:8265", "ok"),
        ("127.0.0.1", "ok"),
        ("10.0.0.7:8265", "note"),
        ("0.0.0.0:8265", "note"),
        ("127.0.0.1.example.com:80", "note"),
        ("[::]:8265", "note"),
    ],
)
@pytest.mark.parametrize("mode", ["token", "disabled"])
def test_a_dashboard_beyond_the_loopback_is_noted(home, address, level, mode):
    token(home / ".ray" / "auth_token")
    row = auth_findings(access({"RAY_AUTH_MODE": mode}, True, address))[1]
    assert (row.what, row.level) == ("dashboard", level)
    assert ("can run code" in row.means) is (level == "note" and mode == "disabled")


def test_without_a_dashboard_nothing_is_said_of_it(home):
    assert [row.what for row in auth_findings(access({}, False))] == ["token"]


def test_a_cluster_of_another_ray_names_both():
    """The words are those of Ray 2.60's ``check_version_info``, in a line."""
    said = (
        "Version mismatch: The cluster was started with: Ray: 2.58.0 Python: 3.11.4 This process on node 10.0.0.1 "
        "was started with: Ray: 2.60.0 Python: 3.11.9"
    )
    sentence = why_not_joined("10.0.0.1:6379", said, access({}, True))
    assert "at 10.0.0.1:6379 runs ray 2.58.0 and Python 3.11.4, this machine ray 2.60.0 and Python 3.11.9" in sentence


def test_the_words_of_a_version_mismatch_are_still_rays():
    """Against Ray itself: were they to change, the sentence above would be lost."""
    from importlib.util import find_spec

    found = find_spec("ray")
    assert found is not None and found.submodule_search_locations
    source = (Path(found.submodule_search_locations[0]) / "_private" / "utils.py").read_text()
    assert source.count('f"    Ray: {') == source.count('f"    Python: {') == 2


@pytest.mark.parametrize(
    "said,beginning",
    [
        (
            "Token authentication is enabled but no authentication token was found. Ensure",
            "the Ray cluster at h:1 refused",
        ),
        (
            "InvalidAuthToken: Authentication token is missing or incorrect",
            "the Ray cluster at h:1 refused the token, or",
        ),
        ("Failed to connect to GCS within 60 seconds.", "cannot join the Ray cluster at h:1 (Failed to connect to GCS"),
    ],
)
def test_who_is_not_let_in_learns_what_has_to_match(home, said, beginning):
    path = token(home / ".ray" / "auth_token")
    sentence = why_not_joined("h:1", said, access({"RAY_AUTH_MODE": "token"}, True))
    assert sentence.startswith(beginning) and "0123456789abcdef" not in sentence
    assert "refused the token" in sentence and f"RAY_AUTH_MODE (token) and the token in {path}" in sentence
    assert "RAY_AUTH_MODE (not set)" in why_not_joined("h:1", said, access({}, True))
