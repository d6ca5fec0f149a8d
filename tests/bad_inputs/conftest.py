"""The door, fresh for every test."""

import pytest
from helpers.doors import Door


@pytest.fixture
def door(tmp_path, capsys, monkeypatch):
    return Door(tmp_path, capsys, monkeypatch)
