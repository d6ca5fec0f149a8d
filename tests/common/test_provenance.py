"""Where results were made: versions and a commit, and nothing that is secret."""

import json
import subprocess

import pytest

from synaug_ray.common import provenance


def test_the_environment_names_versions_and_keeps_secrets(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    made = provenance.environment("cuda:0", 3)
    assert made["device"] == "cuda:0" and made["threads"] == 3 and made["cores"] >= 1
    assert made["packages"]["numpy"] == __import__("numpy").__version__
    assert "hunter2" not in json.dumps(made)


def test_the_code_has_a_digest_where_there_is_no_commit(tmp_path, monkeypatch):
    """A submitted job is a copy without .git, an installed package too."""
    (tmp_path / "inner").mkdir()
    (tmp_path / "provenance.py").write_text("a")
    (tmp_path / "inner" / "b.py").write_text("b")
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path)
    first = provenance._digest()
    (tmp_path / "notes.txt").write_text("not code")
    assert provenance._digest() == first != provenance.CODE == provenance.environment("cpu", 1)["code"]
    (tmp_path / "inner" / "b.py").write_text("c")
    assert provenance._digest() != first


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout of its own, with the module in it."""

    def git(*words):
        subprocess.run(
            ["git", "-C", str(tmp_path), "-c", "user.name=t", "-c", "user.email=t@t", *words],
            check=True,
            capture_output=True,
        )

    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "provenance.py").write_text("x")
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path / "package")
    provenance.commit.cache_clear()
    yield tmp_path, git
    provenance.commit.cache_clear()


def test_outside_a_checkout_there_is_no_commit(checkout):
    assert provenance.commit() is None


def test_the_commit_says_whether_files_differ_from_it(checkout):
    folder, git = checkout
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "first")
    clean = provenance.commit()
    assert clean is not None and len(clean) == 12 and int(clean, 16)
    (folder / "new.txt").write_text("untracked files are not of the code")
    provenance.commit.cache_clear()
    assert provenance.commit() == clean
    (folder / "package" / "provenance.py").write_text("changed")
    provenance.commit.cache_clear()
    assert provenance.commit() == clean + "+"


def test_without_git_there_is_no_commit_and_no_error(checkout, monkeypatch):
    folder, git = checkout
    git("init", "-q")
    monkeypatch.setenv("PATH", "/nowhere")
    assert provenance.commit() is None


def test_software_is_told_apart_by_its_source(monkeypatch):
    first = provenance.software()
    assert first.packages["numpy"] == __import__("numpy").__version__ and first.code == provenance.CODE
    monkeypatch.setattr(provenance, "CODE", "0123456789ab")
    assert provenance.software() != first
