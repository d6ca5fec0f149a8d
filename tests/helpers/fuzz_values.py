"""The seeds of the fuzz tests: grids, command-line words, and values of all kinds."""

from __future__ import annotations

GRIDS = [
    """dataset: digits
num_real: [20, 40]
synthetic_multiples: [0, 1, 2.5]
real_share: [proportional, 0.5]
generators: [edm-tiny, jitter]
classifiers: [mlp]
draws: 3
seeds: 2
""",
    """dataset: digits   # with everything that a grid can have
data: {size: 16, mode: gray, split_seed: 3, holdout: 0.3}
num_real: 40
synthetic_multiples: [1]
protocols: [mixed, pretrain]
real_weight: [share, 0.9]
generators:
  - {preset: edm-tiny, name: wide, nimg: 640, channels: [8, 16], trained_on: 100}
  - {family: jitter, name: noisy, noise: 0.1}
classifiers: {preset: mlp, optimiser: {family: sgd, learning_rate: 1e-2}, pack: 2}
sampler: {steps: 4, sigma_max: 40.0}
stratify: balanced
draws: 1
seeds: 1
delta: 0.5
confidence: 0.8
blocks:
  - num_real: [80]
    generators: [duplicate]
""",
]


WORDS = [
    "&a",
    "*a",
    "!!int",
    "null",
    ".nan",
    "-1",
    "1e400",
    "9" * 30,
    "[",
    "]",
    "{",
    "}",
    ":",
    "- ",
    "\t",
    "\n",
    "yes",
    "''",
    '"',
    "#",
    "edm-tiny",
    "preset: x",
    "{preset: edm-tiny}",
    "1_000",
    "0x10",
    "~",
    "2026-01-01",
    "<<: {}",
    "?",
    "|",
    ">",
    "é",
    "\x00",
    "[[[]]]",
    "0.5",
    "blocks: [{}]",
    "=",
    "%",
    "@",
    "\ufeff",
    "\u2028",
    "\x85",
    "💥",
    "!!python/name:os.system",
    "---",
    "...",
    "%YAML 9.9",
    "1:30:00",
    "0b1",
    "'\\0'",
    '"\\0"',
    '"\\ud800"',
    "\r",
]


VALUES = [
    None,
    True,
    False,
    0,
    -1,
    1,
    2,
    10**6,
    10**12,
    10**13,
    10**400,
    1e308,
    -1e308,
    1e-320,
    float("nan"),
    float("inf"),
    0.5,
    "",
    " ",
    "x",
    "x" * 300,
    "50,100",
    "../x",
    "a\0b",
    "~nobody-of-this-name/x",
    "é" * 70,
    "edm-tiny",
    "edm-28px",
    "cnn",
    "resnet18",
    "proportional",
    "digits",
    "folder:",
    "npz:",
    "folder:a\0b",
    "npz:" + "x" * 300,
    "medmnist:",
    "hf:",
    "parquet:",
    ":",
    "mnist",
    "digits:",
    [],
    {},
    [[]],
    [{}],
    [None],
    {"preset": None},
    {"preset": []},
    {"preset": "x" * 100},
    {"preset": "edm-tiny", "name": 3},
    {"preset": "cnn", "widths": [1] * 70},
    {"family": "edm"},
    {"family": []},
    {"family": "timm", "name": "a"},
    {"family": "pretrained", "name": "p", "pipeline": "~nobody-of-this-name/x"},
    {"family": "pretrained", "name": "p", "pipeline": "a\0b"},
    {"family": "pretrained", "name": "p", "pipeline": "x" * 300},
    {"family": "edm", "name": "e", "channels": [8] * 70, "attention": [False] * 70},
    {"x": {"x": {"x": {"x": 1}}}},
    ["edm-tiny"] * 50,
    list(range(300)),
    [0.1] * 3,
    [1, "1", 1.0, True],
]
