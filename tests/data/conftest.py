"""A cache folder that lies outside of what a test reads."""

import pytest


@pytest.fixture
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")
