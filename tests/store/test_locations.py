"""Where downloads and decoded images are kept."""

from pathlib import Path

import pytest

from synaug_ray.common.errors import StorageProblem, UsageProblem
from synaug_ray.store.locations import cache_folder


def test_what_is_named_comes_first_then_the_users_cache(tmp_path, monkeypatch):
    assert cache_folder(str(tmp_path / "new")) == tmp_path / "new"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder(None) == tmp_path / "synaug_ray"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder(None) == Path.home() / ".cache" / "synaug_ray"
    assert not list(tmp_path.iterdir())  # nothing is made by asking


def test_what_can_be_no_folder_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageProblem, match="is a file; name a folder"):
        cache_folder(str(tmp_path / "file" / "below"))
    with pytest.raises(UsageProblem, match="--data is empty"):
        cache_folder("")
    with pytest.raises(StorageProblem, match="--data"):
        cache_folder("x" * 5_000)
