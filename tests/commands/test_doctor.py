"""The command: what it prints of a cluster that is pretended, its exit codes, and how it refuses a wrong word."""

import shutil

import pytest
from helpers.nodes import answering, node

from synaug_ray.cluster import connection, probe
from synaug_ray.common.errors import DONE, RESOURCES, STORAGE, USAGE, ResourceProblem
from synaug_ray.common.provenance import software
from synaug_ray.doctor import main


@pytest.fixture
def cluster_of(monkeypatch, tmp_path):
    """A cluster that is joined, and a home with a token of its own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").touch(0o600)
    monkeypatch.setattr(connection, "joins", lambda: True)

    def there_are(*nodes, **found):
        seen = probe.ClusterProbe(tuple(nodes), nodes[0].name, **found)
        monkeypatch.setattr(probe, "probe_cluster", lambda storage, files: seen)

    return there_are


def doctor(capsys, *words):
    """Exit code, (level, means) of each line by what it is on, and stderr."""
    code = main([*map(str, words)])
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    rows, what = {}, ""
    for line in out.splitlines():
        if line.startswith(" "):  # a sentence goes on
            rows[what] = (rows[what][0], f"{rows[what][1]} {line.strip()}")
        else:
            level, what, means = line.split(maxsplit=2)
            rows[what] = (level, means)
    return code, rows, err


def test_a_cluster_with_nothing_wrong(cluster_of, tmp_path, capsys):
    cluster_of(answering("a", base=software()), answering("b", base=software()), dashboard="127.0.0.1:8265")
    code, rows, err = doctor(capsys, "--storage", tmp_path / "s")
    assert code == DONE and err == "" and {level for level, _ in rows.values()} == {"ok"}
    assert rows["cluster"][1] == "joined 10.0.0.1:6379; 2 nodes"
    assert rows["software"][1].startswith(f"Python {software().python}, synaug_ray ")
    assert rows["slots"][1].startswith("8 slots") and rows["shared"][1] == "all 2 nodes can read and write it"
    assert f"{tmp_path / 's'}, " in rows["storage"][1] and rows["storage"][1].endswith(" free")
    assert not (tmp_path / "s").exists()


def test_everything_wrong_is_said_at_once_and_storage_shows_first(cluster_of, tmp_path, capsys):
    (tmp_path / ".ray" / "auth_token").chmod(0o644)
    cluster_of(
        answering("a", cpu=0, base=software()),
        answering("b", cpu=0, base=software(), unread="it is not there"),
        node("c", silence="no answer within 120 s"),
        dashboard="10.0.0.1:8265",
    )
    code, rows, _ = doctor(capsys, "--storage", tmp_path / "s")
    assert code == STORAGE
    assert {what for what, (level, _) in rows.items() if level == "problem"} == {"versions", "slots", "shared", "token"}
    assert rows["dashboard"][0] == "note" and f"chmod 600 {tmp_path}/.ray/auth_token" in rows["token"][1]


def test_without_room_it_is_a_matter_of_resources(cluster_of, tmp_path, capsys):
    cluster_of(answering("a", cpu=0, base=software()))
    assert doctor(capsys, "--storage", tmp_path)[0] == RESOURCES


def test_of_a_cluster_that_cannot_be_joined_the_rest_is_told(cluster_of, tmp_path, capsys, monkeypatch):
    def refuse(storage, files):
        raise ResourceProblem("cannot join the Ray cluster at 10.0.0.1:6379 (no answer); --local does without Ray")

    monkeypatch.setattr(probe, "probe_cluster", refuse)
    code, rows, err = doctor(capsys, "--storage", tmp_path)
    assert code == RESOURCES and err == "" and rows["cluster"][0] == "problem"
    assert rows["token"][0] == rows["storage"][0] == rows["software"][0] == "ok"


def test_what_a_grid_needs_is_held_against_what_there_is(cluster_of, tmp_path, capsys, monkeypatch):
    cluster_of(answering("a", base=software(), bf16=False))
    code, rows, _ = doctor(capsys, "smoke", "precision=bf16", "--storage", tmp_path)
    assert code == DONE and "the missing part of the grid needs about " in rows["storage"][1]
    assert rows["bf16"] == (
        "note",
        "the CPU of a has to emulate it, about ten times slower than fp32, and this grid uses it; set precision=fp32",
    )
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1_000))
    code, rows, _ = doctor(capsys, "smoke", "--storage", tmp_path)
    assert code == STORAGE and rows["storage"][0] == "problem" and "1 kB free" in rows["storage"][1]


@pytest.mark.parametrize(
    "words,code,said",
    [
        (["nowhere"], USAGE, "no grid 'nowhere'"),
        (["smoke", "drws=2"], USAGE, "Did you mean 'draws'"),
        (["--storge", "x"], USAGE, "--help shows"),
        (["--storage", ""], USAGE, "--storage is empty"),
        (["--storage", "s4://bucket"], STORAGE, "no protocol 's4'"),
    ],
)
def test_refusals(tmp_path, capsys, words, code, said):
    got, rows, err = doctor(capsys, *words)
    assert got == code and not rows and said in err and all(s.startswith("error: ") for s in err.splitlines())
