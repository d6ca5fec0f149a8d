"""Where results lie, what a run may be called, and where downloads and decoded images are kept."""

import os
from pathlib import Path

import pytest

from synaug_ray.common.errors import StorageProblem, UsageProblem
from synaug_ray.store import disk
from synaug_ray.store.filesystem import join, open_url, split_folder
from synaug_ray.store.folder_reader import FolderReader
from synaug_ray.store.locations import JOB, cache_folder, check_name, old_default_note, storage_root
from synaug_ray.store.run_folder import RunFolder, running
from synaug_ray.store.store import Store


def test_what_is_named_comes_first_then_the_users_cache(tmp_path, monkeypatch):
    assert cache_folder(str(tmp_path / "new")) == tmp_path / "new"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder(None) == tmp_path / "synaug_ray"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder(None) == Path.home() / ".cache" / "synaug_ray"
    assert not list(tmp_path.iterdir())  # nothing is made by asking


def test_what_can_be_no_folder_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageProblem, match="is a file; choose a folder"):
        cache_folder(str(tmp_path / "file" / "below"))
    with pytest.raises(UsageProblem, match="--data is empty"):
        cache_folder("")
    with pytest.raises(StorageProblem, match="--data"):
        cache_folder("x" * 5_000)


@pytest.mark.parametrize("name", ["a", "digits", "Run-1.b_2", "0", "x" * 64])
def test_names(name):
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../x", "a/b", "/abs", ".hidden", "-n", "a b", "a\n", "é", "x" * 65, "a\0", "C:x", "store", "ray"],
)
def test_what_is_no_name(name):
    """It could leave the storage, or take the Store's place."""
    with pytest.raises(UsageProblem, match=r"is not a run name: letters, digits, \. _ -"):
        check_name(name)


def test_the_storage_is_the_flag_else_the_variable_else_home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SYNAUG_STORAGE", str(tmp_path / "variable"))
    assert storage_root(str(tmp_path / "flag")) == str(tmp_path / "flag")
    assert storage_root(f"file://{tmp_path}/flag") == str(tmp_path / "flag")
    assert storage_root(None) == str(tmp_path / "variable")
    monkeypatch.delenv("SYNAUG_STORAGE")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert storage_root(None) == str(tmp_path / "data" / "synaug_ray")
    for none in ("", "relative"):  # which the specification ignores
        monkeypatch.setenv("XDG_DATA_HOME", none)
        assert storage_root(None) == str(tmp_path / "home" / ".local" / "share" / "synaug_ray")
    assert storage_root("~/x") == str(tmp_path / "home" / "x")
    assert storage_root("s3://bucket/x/") == "s3://bucket/x"


@pytest.mark.parametrize("below", [".", "runs", "a/../runs", "./x/y", "ABS/runs", "file://ABS/runs", "../here/runs"])
def test_a_storage_below_the_working_directory_of_a_job_is_refused(tmp_path, monkeypatch, below):
    monkeypatch.setenv(JOB, "{}")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(UsageProblem) as caught:
        storage_root(below.replace("ABS", str(tmp_path / "here")))
    assert [m.code for m in caught.value.messages] == ["storage-below-working-directory"]


def test_a_link_that_leads_below_the_working_directory_of_a_job_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv(JOB, "{}")
    (tmp_path / "here" / "runs").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "here" / "runs")
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(UsageProblem):
        storage_root(str(tmp_path / "link"))


def test_beside_and_above_the_working_directory_of_a_job_are_allowed(tmp_path, monkeypatch):
    monkeypatch.setenv(JOB, "{}")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert storage_root("..") == str(tmp_path)
    assert storage_root("../hereafter") == str(tmp_path / "hereafter")


def test_a_storage_that_cannot_become_a_folder(tmp_path):
    (tmp_path / "file").write_text("")
    for storage in ("file", "file/a/b"):
        with pytest.raises(StorageProblem, match=r"cannot write to .*/file.* \(.*/file is a file\); set --storage"):
            storage_root(str(tmp_path / storage))
    assert not (tmp_path / "new").exists() and storage_root(f"{tmp_path}/new/a") == f"{tmp_path}/new/a"
    assert not (tmp_path / "new").exists()  # asked, not made


@pytest.mark.parametrize("url", ["s3://bucket/x", "gs://bucket", "memory://x", "simplecache::s3://bucket/x"])
def test_storages_of_a_known_protocol(url):
    assert storage_root(url) == url


@pytest.mark.parametrize(
    "name", ["a::b", "a::file::b", "memory::x", "with space", "a[1]*?", "~", "C:\\x", "a%20b", "ünï"]
)
@pytest.mark.parametrize("form", ["{}", "file://{}", "local://{}", "{}/"])
def test_files_land_where_the_storage_is_said_to_be(tmp_path, name, form):
    """fsspec opens the part before a "::", so that all runs of all such storages shared one folder."""
    storage = storage_root(form.format(tmp_path / "s" / name))
    assert storage == str(tmp_path / "s" / name)
    for run in ("r1", "r2"):
        RunFolder(storage, run).write("status.json", '{"state": "running"}')
        RunFolder.at(f"{storage}/{run}/").write("x", run)
        assert (tmp_path / "s" / name / run / "x").read_text() == run
        assert FolderReader(f"file://{storage}/{run}").text("x") == run
    Store(f"{storage}/store").check_writable()
    assert os.listdir(tmp_path) == ["s"] and os.listdir(tmp_path / "s") == [name]
    assert running(storage, "k") == ["r1", "r2"]


def test_a_relative_path_of_a_run_is_below_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    RunFolder.at("a::b/r1").write("x", "1")
    assert (tmp_path / "a::b" / "r1" / "x").read_text() == "1"


@pytest.mark.parametrize("url", ["s3://bucket/a::b", "memory://a::memory://b", "zip://x::s3://bucket/y"])
def test_a_url_that_fsspec_would_cut_in_two_is_refused(url):
    for opened in (storage_root, open_url):
        with pytest.raises(UsageProblem, match="contains '::'.*choose a folder without it"):
            opened(url)


def test_a_storage_of_no_known_protocol():
    with pytest.raises(StorageProblem, match=r"no protocol 'hdfss'\. Did you mean 'hdfs'\? Give a folder, or a URL"):
        storage_root("hdfss://x")


@pytest.mark.parametrize(
    "url",
    [
        "s3://AKIA:hunter2@bucket/x",
        "s3://AKIA:hun/ter2@bucket",
        "sftp://me:hunter2@host/x",
        "simplecache::s3://a:hunter2@b",
        "https://me:hunter2@host/x",
        "abfs://box@account/x?sig=hunter2",
        "s3://bucket/x?a=1&X-Amz-Security-Token=hunter2",
    ],
)
def test_a_secret_in_the_url_of_the_storage_is_refused_and_not_repeated(url):
    """The command and the storage stand in status.json and on the page."""
    with pytest.raises(UsageProblem, match="contains a password or a key.*leave it out") as caught:
        storage_root(url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("url", ["abfs://box@account.dfs/x", "sftp://me@host/x", "s3://bucket/a?versionId=3"])
def test_names_of_users_and_of_containers_are_no_secrets(url):
    assert storage_root(url) == url


def test_a_path_may_look_like_such_a_url(tmp_path):
    assert storage_root(f"file://{tmp_path}/a:b@c") == f"{tmp_path}/a:b@c"


@pytest.mark.parametrize("below", [".", "runs", "~/x"])
def test_below_the_working_directory_where_that_stays(tmp_path, monkeypatch, below):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert storage_root(below).startswith(str(tmp_path))


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "SYNAUG_STORAGE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_a_clone_in_the_home_folder_is_not_taken_for_the_storage(home, monkeypatch):
    """Cloned there, it has the name that the default storage had, and the first command is given within it."""
    (home / "synaug_ray" / "synaug_ray" / "store").mkdir(parents=True)
    monkeypatch.chdir(home / "synaug_ray")
    storage = storage_root(None)
    assert storage == str(home / ".local" / "share" / "synaug_ray") and not old_default_note(storage)


def test_results_in_the_old_default_are_still_found_and_that_is_said(home):
    old, new = home / "synaug_ray", home / ".local" / "share" / "synaug_ray"
    (old / "store" / "records").mkdir(parents=True)
    assert storage_root(None) == str(old)
    (note,) = old_default_note(str(old))
    assert str(old) in note and f"move that folder to {new}" in note
    assert not old_default_note(str(home / "elsewhere"))
    new.parent.mkdir(parents=True)
    old.rename(new)
    assert storage_root(None) == str(new) and not old_default_note(str(new))
    (old / "store" / "records").mkdir(parents=True)
    assert storage_root(None) == str(new)  # both: the new one


def test_without_a_home_only_what_needs_one_asks_for_it(home, monkeypatch):
    def nobody():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nobody)
    assert storage_root(str(home / "s")) == str(home / "s") and cache_folder(str(home / "c")) == home / "c"
    with pytest.raises(StorageProblem, match=r"no home folder is known .*; set --storage to a folder, or set"):
        storage_root(None)
    with pytest.raises(StorageProblem, match=r"no home folder is known .*; set --data to a folder, or set \$HOME"):
        cache_folder(None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    assert cache_folder(None) == home / "cache" / "synaug_ray"
    assert storage_root(None) == str(home / "data" / "synaug_ray")


def test_a_home_that_is_no_folder(home, monkeypatch):
    (home / "file").touch()
    monkeypatch.setenv("HOME", str(home / "file"))
    with pytest.raises(StorageProblem, match=r"cannot write to .*/file is a file\); set --storage"):
        storage_root(None)
    with pytest.raises(StorageProblem, match=r"--data .*/file is a file; choose a folder"):
        cache_folder(None)


def test_a_cache_that_cannot_be_written_is_told_before_it_is_needed_unless_it_is_there(home, monkeypatch):
    monkeypatch.setattr(disk.os, "access", lambda _, mode: not mode & os.W_OK)
    with pytest.raises(
        StorageProblem, match=r"--data .*/new: .* may not be written to; choose a folder that you may write to"
    ):
        cache_folder(str(home / "new"))
    assert cache_folder(str(home)) == home


@pytest.mark.parametrize(
    "given", ["s3://", "s3:/bucket/x", "gs:///", "file:/data/x", "http:/host/x", "$HOME/x", "${DATA}", " "]
)
def test_what_would_become_a_local_folder_by_mistake_is_refused(given, monkeypatch, tmp_path):
    """What ``pathlib``, an unset variable or single quotes make of a URL or a path."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageProblem, match="--storage is empty" if given == " " else "write"):
        storage_root(given)
    if "$" not in given and given.strip():
        with pytest.raises(UsageProblem, match="is half a URL"):
            open_url(given)
    assert not list(tmp_path.iterdir())


def test_a_local_folder_that_is_named_like_half_a_url_can_be_meant(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert storage_root("./s3:/bucket") == str(tmp_path / "s3:" / "bucket")


def test_downloads_go_to_no_url():
    with pytest.raises(UsageProblem, match="a folder of this machine"):
        cache_folder("s3://bucket/x")


@pytest.mark.parametrize(
    ("url", "around", "name", "root"),
    [
        ("/out", "/", "out", "/out"),
        ("/a/b/", "/a", "b", "/a/b"),
        ("b", ".", "b", None),
        ("s3://a/b", "s3://a", "b", "a/b"),
    ],
)
def test_a_folder_directly_below_the_root_is_no_relative_one(url, around, name, root):
    """As in containers, where results often go to ``/out``."""
    assert split_folder(url) == (around, name)
    assert open_url(join(around, name))[1] == (root or os.path.abspath(name))
    if not url.startswith("s3"):
        assert RunFolder.at(url).root == (root or os.path.abspath(name))
