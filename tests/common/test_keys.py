"""Content keys: the one written form, what has none, and digests that must never change."""

import ast
import math
import subprocess
import sys

import numpy as np
import pytest
from helpers.paths import REPOSITORY

from synaug_ray.common.keys import KEY_DIGITS, canonical, content_key, derive_seed

FIELDS = {"b": [1, 2.5, True, None], "a": {"ä": "x", "n": 1.0}}


def test_the_written_form():
    assert canonical(FIELDS) == r'{"a":{"n":1.0,"\u00e4":"x"},"b":[1,2.5,true,null]}'


def test_golden_keys():
    """`printf '%s' '<the written form>' | sha256sum`, its first 32 digits."""
    assert content_key(FIELDS) == "43b411e2db7b1f58a01d2266f6be8b0d"
    assert content_key({}) == "44136fa355b3678a1146ad16f7e8649e"
    assert len(content_key(FIELDS)) == KEY_DIGITS == 32


def test_golden_seeds():
    """SHA-256 of the JSON of the parts, its first 8 bytes, one bit less."""
    assert derive_seed("generator", "abc", 3) == 6458200590447230137
    assert derive_seed("pass", 1, 2) == 2891532620647789155
    assert derive_seed(None, "1") == 6575868104470099599


def test_keys_and_seeds_are_the_same_in_another_process():
    """Python salts its own hashes by process: nothing of that may reach a key."""
    code = f"from synaug_ray.common.keys import *; print(content_key({FIELDS!r}), derive_seed('generator', 'abc', 3))"
    for salt in ("1", "2"):
        out = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": salt, "PYTHONPATH": ":".join(sys.path)},
        )
        assert out.stdout.split() == ["43b411e2db7b1f58a01d2266f6be8b0d", "6458200590447230137"]


def test_order_of_names_and_kind_of_sequence_do_not_matter():
    assert content_key({"a": 1, "b": (1, 2)}) == content_key({"b": [1, 2], "a": 1})


@pytest.mark.parametrize(
    "one,other",
    [
        ({"a": 1}, {"a": 1.0}),
        ({"a": 1}, {"a": "1"}),
        ({"a": True}, {"a": 1}),
        ({"a": None}, {}),
        ({"a": []}, {"a": {}}),
        ({"a": [1, 2]}, {"a": [2, 1]}),
        ({"a": [[1], 2]}, {"a": [1, [2]]}),
        ({"a": None}, {"a": "null"}),
    ],
)
def test_different_values_have_different_keys(one, other):
    assert content_key(one) != content_key(other)


@pytest.mark.parametrize(
    "value,error,said",
    [
        ({"a": {"b": [0, {1, 2}]}}, TypeError, r"fields\.a\.b\[1\] is a set"),
        ({"a": [object()]}, TypeError, r"fields\.a\[0\] is a object"),
        ({"a": np.int64(3)}, TypeError, r"fields\.a is a int64"),
        ({"a": np.zeros(2)}, TypeError, r"fields\.a is a ndarray"),
        ({"a": b"x"}, TypeError, r"fields\.a is a bytes"),
        ({"a": {1: 2}}, TypeError, r"fields\.a: the name 1 is a int"),
        ({"a": [1.0, math.nan]}, ValueError, r"fields\.a\[1\] = nan"),
        ({"a": -math.inf}, ValueError, r"fields\.a = -inf"),
        (len, TypeError, "fields is a builtin_function_or_method"),
    ],
)
def test_what_has_no_stable_form_is_refused_with_the_way_to_it(value, error, said):
    with pytest.raises(error, match=said):
        content_key(value)


def test_seeds_are_in_range_and_depend_on_every_part():
    seeds = [derive_seed(a, b, c) for a in ("x", "y") for b in range(20) for c in (None, 0, "0")]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= s < 2**63 for s in seeds)
    assert derive_seed("ab", "c") != derive_seed("a", "bc")


# The word that each seed begins with is part of it: a word that is renamed with the code around it changes results in
# silence. Never to be updated because a test fails; a new word may join.
SEED_WORDS = set(
    "augment autoencoder batches class confidence deal domain dropout fidelity filter first folds generator halves head image images "
    "jitter judge judges matched membership mixup noise order overlap pass permutation pipeline pool prompt quality real "
    "realism replace replay sentence shuffle space synthetic teacher trial unseen validation weights yardstick".split()
)


def test_golden_words_of_seeds():
    calls = [
        node
        for path in sorted((REPOSITORY / "synaug_ray").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "derive_seed"
    ]
    words = {call.args[0].value for call in calls if isinstance(call.args[0], ast.Constant)}
    assert words == SEED_WORDS and all(isinstance(call.args[0], ast.Constant) for call in calls)
