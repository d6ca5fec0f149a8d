"""Finds exact and near duplicates in one set of images, or between two; similar images are not duplicates.

Exact duplicates have the same pixels. Near duplicates are found in four steps:

1. All pairs are compared at low resolution, mirrored or not, in several shifts and crops (``search``). The result is
   four candidates for each image, and four neighbours of ranks 11 to 20 as its background.
2. Candidates and background are aligned in the same way and compared at up to 32x32 pixels (``alignment``). The score
   of an image is log(median distance of its background / distance of its nearest candidate): how much nearer the
   candidate is than images that are merely similar. A dense cluster of similar images, such as X-rays or eights,
   therefore does not raise scores.
3. The scores of images without a copy follow a Gumbel distribution, since the distance to the k-th nearest of many
   images grows as k^(1/m) in m dimensions. Its two parameters are computed from the 10% and 50% quantiles, which copies
   hardly affect as long as fewer than about 40% of the images have one. If most images seem to have one, the parameters
   come from comparisons with other classes only, where copies can be due only to wrong labels; without labels, no
   duplicates are then reported.
4. The rule of Benjamini and Hochberg (J. R. Stat. Soc. B 57, 1995) sets the threshold: at most 1% of the reported
   duplicates are expected to be false, if the Gumbel distribution holds. Two measurements on the set itself are
   reported with it: the share of images that pass when compared only with other classes, and the share of planted
   copies that are found. The 1% is nominal: in CIFAR-10 about 4% of the reported pairs are, by eye, two photos of
   similar things.

tests/benchmarks/duplicates.md has recall, false positives and seconds on real sets.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.stats import gumbel_r
from torch.nn.functional import interpolate

from synaug_ray.data.duplicates.alignment import aligned_distance
from synaug_ray.data.duplicates.planted import changed
from synaug_ray.data.duplicates.search import CANDIDATES, Images, Index, Neighbours, Rows, at_work_size

LEVEL = 0.01  # expected share of false duplicates among those reported
SAMPLE, ACROSS, PLANTED = 2_000, 500, 60  # images for the fit, for the check across classes, and for recall
PLANTED_CHANGES = ("JPEG 75", "mirrored", "shifted", "brightness, contrast", "cropped to 90%")
FEWEST = 50  # images of a set: with fewer, ranks of neighbours are meaningless
ENOUGH = 200  # images needed for the fit; if fewer are searched, images of the reference set are used
CROWDED = 0.8  # median score from which most images seem to have a copy: the background is over twice as far away
PAIRS = 512  # pairs aligned at once: 6 MB an array at 32x32 in colour
Tell = Callable[[float], None]


@dataclass(frozen=True)
class Duplicates:
    """The duplicates. Pairs are (image, the first image like it) in one set, (image, reference) between two.

    ``exact`` int64 [P, 2]; ``near`` int64 [Q, 2], float64 ``scores`` [Q] and bool ``mirrored`` [Q], best first.
    """

    exact: NDArray[np.int64]
    near: NDArray[np.int64]
    scores: NDArray[np.float64]
    mirrored: NDArray[np.bool_]
    searched: int = 0  # images searched for near duplicates; 0 if the sets are too small
    threshold: float = float("nan")  # lowest score of a near duplicate
    expected_false: float = float("nan")  # number of searched images that would pass by chance if none had a copy
    calibrated_on: Literal["nearest images", "other classes"] = "nearest images"
    across_classes: tuple[int, int] = (0, 0)  # images that pass when compared only with other classes, and their total
    recall: dict[str, float] = field(default_factory=dict)  # share of planted copies that is found, by change

    @property
    def images(self) -> NDArray[np.int64]:
        """Images that have a duplicate, each once (in one set: the later image of each pair)."""
        pairs = np.concatenate([self.exact, self.near])
        return np.unique(pairs[:, 0] if len(pairs) else pairs.reshape(0))


def exact_pairs(images: NDArray[np.uint8], reference: NDArray[np.uint8] | None = None) -> NDArray[np.int64]:
    """Pairs with the same pixels, int64 [P, 2]: (image, first image like it), each image at most once."""
    first: dict[bytes, int] = {}
    for i, pixels in enumerate(images if reference is None else reference):
        first.setdefault(_digest(pixels), i)
    pairs = [(i, first[d]) for i, d in enumerate(map(_digest, images)) if d in first]
    return np.array([p for p in pairs if reference is not None or p[0] != p[1]], dtype=np.int64).reshape(-1, 2)


def distinct(count: int, found: Duplicates) -> int:
    """How many of ``count`` images are different: each family of duplicates in the set counts once."""
    pairs = np.concatenate([found.exact, found.near])
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    return int(connected_components(graph, directed=False)[0])


def find(
    images: NDArray[np.uint8],
    reference: NDArray[np.uint8] | None = None,
    *,
    labels: NDArray[np.int64] | None = None,
    reference_labels: NDArray[np.int64] | None = None,
    plant: Sequence[str] = PLANTED_CHANGES,
    seed: int = 0,
    tell: Tell = lambda share: None,
) -> Duplicates:
    """Duplicates of ``images`` among themselves, or in ``reference``.

    Args:
        images, reference: uint8 [N, C, S, S] of one size and mode; memory-mapped arrays are read in blocks.
        labels, reference_labels: int64 [N], for the calibration across classes; it is skipped without them.
        plant: changes whose recall is measured on 60 planted copies each (``planted.CHANGES``).
        seed: of the samples drawn.
        tell: called with the share of the work done.
    """
    exact = exact_pairs(images, reference)
    inside = reference is None
    kept = np.setdiff1d(np.arange(len(images)), exact[:, 0])  # only the first of exact copies is searched
    pool = images if reference is None else reference
    among = kept if reference is None else np.setdiff1d(np.arange(len(pool)), exact_pairs(pool)[:, 0])
    nothing = Duplicates(exact, np.zeros((0, 2), np.int64), np.zeros(0), np.zeros(0, np.bool_))
    if len(among) < FEWEST or not len(kept):
        return nothing
    rng = np.random.default_rng(seed)
    query, target = Rows(images, kept), Rows(pool, among)
    index = Index(target)
    near = index.search(query, own=np.arange(len(kept)) if inside else None, tell=lambda share: tell(0.5 * share))
    sample = np.sort(rng.permutation(len(kept))[:SAMPLE])
    scores = _all_scores(query, target, near, sample, lambda share: tell(0.5 + 0.4 * share))

    own_classes = labels if inside else reference_labels
    across = _across(
        query,
        target,
        index,
        None if labels is None else labels[kept],
        None if own_classes is None else own_classes[among],
        rng,
    )
    null, calibrated_on = scores[sample].max(1), "nearest images"
    if not inside and len(kept) < ENOUGH:
        null = _own_scores(target, index, rng)
    if len(across) and np.median(null) > max(CROWDED, 3 * np.median(across)):
        null, calibrated_on = across, "other classes"
    law = fitted_gumbel(null)
    best = scores.max(1)
    threshold, chance = _threshold(law, best)
    image, candidate = np.nonzero(scores >= threshold)
    which = near.candidates.numpy()[image, candidate]
    mirrored = near.candidates_mirrored.numpy()[image, candidate]
    pairs, found, mirrored = _as_pairs(kept[image], among[which], scores[image, candidate], mirrored, inside)
    recall = _recall(target, index, threshold, plant, rng)
    tell(1.0)
    return Duplicates(
        exact,
        pairs,
        found,
        mirrored,
        len(kept),
        threshold,
        chance * len(kept),
        calibrated_on,
        (int((across >= threshold).sum()), len(across)),
        recall,
    )


def fitted_gumbel(scores: NDArray[np.float64]) -> Any:
    """A frozen ``scipy.stats.gumbel_r`` through the 10% and 50% quantiles; the upper half of the scores is not used."""
    low, middle = np.quantile(scores, [0.1, 0.5])
    a, b = gumbel_r.ppf([0.1, 0.5])
    scale = max((middle - low) / (b - a), 1e-3)
    return gumbel_r(middle - b * scale, scale)


def _threshold(law: Any, scores: NDArray[np.float64]) -> tuple[float, float]:
    """The threshold by Benjamini and Hochberg, and the probability that an image without a copy exceeds it."""
    p = np.sort(law.sf(scores))
    passes = np.flatnonzero(p <= LEVEL * np.arange(1, len(p) + 1) / len(p))
    chance = LEVEL * (passes[-1] + 1 if len(passes) else 1) / len(p)
    return float(law.isf(chance)), chance


def _scores(
    query: Images,
    target: Images,
    near: Neighbours,
    rows: NDArray[np.int64],
    coarse: bool,
    tell: Tell = lambda share: None,
) -> NDArray[np.float64]:
    """float64 [len(rows), 4]: log(median background distance / distance) of each candidate, aligned."""
    place = torch.cat([near.candidates, near.background], 1)
    flip = torch.cat([near.candidates_mirrored, near.background_mirrored], 1)
    width, out = place.shape[1], []
    for at in range(0, len(rows), PAIRS // width):
        block = rows[at : at + PAIRS // width]
        others = at_work_size(target[place[block].flatten().numpy()])
        mirror = flip[block].flatten()
        others[mirror] = others[mirror].flip(3)
        mine = at_work_size(query[block]).repeat_interleave(width, 0)
        if coarse:
            half = (mine.shape[-1] // 2,) * 2
            mine, others = (interpolate(x, size=half, mode="area") for x in (mine, others))
        distance = aligned_distance(mine, others).reshape(len(block), width).double()
        out.append((distance[:, CANDIDATES:].median(1, keepdim=True).values / distance[:, :CANDIDATES]).log())
        tell(min(at + len(block), len(rows)) / len(rows))
    return torch.cat(out).numpy() if out else np.zeros((0, CANDIDATES))


def _all_scores(
    query: Images,
    target: Images,
    near: Neighbours,
    sample: NDArray[np.int64],
    tell: Tell,
) -> NDArray[np.float64]:
    """float64 [N, 4]; in large sets -inf for images that have no copy according to a comparison at half the size."""
    everything = np.arange(len(query))
    if len(query) <= SAMPLE or query.shape[-1] < 24:
        return _scores(query, target, near, everything, False, tell)
    rough = _scores(query, target, near, everything, True, lambda share: tell(0.5 * share)).max(1)
    promising = rough > fitted_gumbel(rough).isf(0.1)
    promising[sample] = True
    scores = np.full((len(query), CANDIDATES), -np.inf)
    rows = np.flatnonzero(promising)
    scores[rows] = _scores(query, target, near, rows, False, lambda share: tell(0.5 + 0.5 * share))
    return scores


def _across(
    query: Images,
    target: Images,
    index: Index,
    labels: NDArray[np.int64] | None,
    others: NDArray[np.int64] | None,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Scores of some images compared only with other classes; empty if these have too few images."""
    if labels is None or others is None:
        return np.zeros(0)
    left = len(others) - np.bincount(others, minlength=int(labels.max()) + 1)[labels]
    rows = rng.permutation(np.flatnonzero(left >= FEWEST))[:ACROSS]
    if len(rows) < FEWEST:
        return np.zeros(0)
    near = index.search(query[rows], barred=(labels[rows], others))
    return _scores(query[rows], target, near, np.arange(len(rows)), False).max(1)


def _own_scores(target: Images, index: Index, rng: np.random.Generator) -> NDArray[np.float64]:
    """Scores of some images of the reference set, compared with its other images."""
    rows = np.sort(rng.permutation(len(target))[:ACROSS])
    near = index.search(target[rows], own=rows)
    return _scores(target[rows], target, near, np.arange(len(rows)), False).max(1)


def _recall(
    target: Images, index: Index, threshold: float, changes: Sequence[str], rng: np.random.Generator
) -> dict[str, float]:
    """Share of planted copies whose original is found, by change."""
    found = {}
    for change in changes:
        rows = rng.permutation(len(target))[:PLANTED]
        copies = changed(target[rows], change, rng)
        near = index.search(copies)
        named = (_scores(copies, target, near, np.arange(len(rows)), False) >= threshold) & (
            near.candidates.numpy() == rows[:, None]
        )
        found[change] = float(named.any(1).mean())
    return found


def _as_pairs(
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    scores: NDArray[np.float64],
    mirrored: NDArray[np.bool_],
    inside: bool,
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
    """Sorted by score, the highest first; in one set each pair is listed once, the later image first."""
    order = np.argsort(-scores, kind="stable")
    pairs = np.stack([first, second], 1)[order]
    if inside:
        pairs = np.stack([pairs.max(1), pairs.min(1)], 1)
        once = np.sort(np.unique(pairs, axis=0, return_index=True)[1])
        pairs, order = pairs[once], order[once]
    return pairs.reshape(-1, 2), scores[order], mirrored[order]


def _digest(pixels: NDArray[np.uint8]) -> bytes:
    return hashlib.blake2b(pixels.tobytes(), digest_size=16).digest()
