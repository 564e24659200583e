"""Three splits (train, choose, report) by group, so that near-twins never sit on both sides.

A group is a connected component of perceptual-hash neighbours.  A small source repository is one group as a whole: it
is often one shoot or one film, whose frames differ more than the hash tolerates and still show the same thing.  The
assignment depends on nothing but names and hashes, so every machine makes the same splits.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Final

import numpy as np

from colorize_training.data.shards import Picture

SPLITS: Final = ("train", "choose", "report")

HASH_NEIGHBOUR_DISTANCE: Final = 10
"""Hamming distance (of 64 bits) up to which two pictures are taken for near-twins."""

WHOLE_SOURCE_PICTURES: Final = 60
"""Sources of at most so many pictures stay whole."""

TRAINING_SOURCES: Final = ("brianhuster/human-dataset",)
"""Sources that are only learned from: full of pictures re-exposed and rotated, which no hash takes for the same."""

_CHOOSE_SHARE: Final = 0.025
_REPORT_SHARE: Final = 0.05
_CHUNK: Final = 512


def hash_neighbour_pairs(hashes: Sequence[int], distance: int = HASH_NEIGHBOUR_DISTANCE) -> list[tuple[int, int]]:
    """List the index pairs (i < j) whose 64-bit hashes differ in at most ``distance`` bits."""
    words = np.array(hashes, dtype=np.uint64)
    pairs = []
    for start in range(0, len(words), _CHUNK):
        near = np.bitwise_count(words[start : start + _CHUNK, None] ^ words[None, start:]) <= distance
        for row, column in zip(*np.nonzero(near), strict=True):
            if column > row:
                pairs.append((int(row) + start, int(column) + start))
    return pairs


def group_labels(pictures: Sequence[Picture]) -> list[int]:
    """Label each picture with its group: the smallest index in its group (union-find)."""
    parent = list(range(len(pictures)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    def join(i: int, j: int) -> None:
        a, b = sorted((root(i), root(j)))
        parent[b] = a

    for i, j in hash_neighbour_pairs([p.phash for p in pictures]):
        join(i, j)
    counts = Counter((p.set, p.source) for p in pictures)
    first_of_source: dict[tuple[str, str], int] = {}
    for i, p in enumerate(pictures):
        source = (p.set, p.source)
        if counts[source] <= WHOLE_SOURCE_PICTURES and len(counts) > 1:
            join(first_of_source.setdefault(source, i), i)
    return [root(i) for i in range(len(pictures))]


def split_pictures(pictures: Sequence[Picture]) -> dict[str, list[Picture]]:
    """Assign every picture to ``train``, ``choose`` or ``report``; a group goes to one of them as a whole.

    A group with a picture of :data:`TRAINING_SOURCES` goes to ``train``.
    """
    groups: dict[int, list[Picture]] = defaultdict(list)
    for picture, label in zip(pictures, group_labels(pictures), strict=True):
        groups[label].append(picture)
    splits: dict[str, list[Picture]] = {name: [] for name in SPLITS}
    for members in groups.values():
        # The least key names the group, so that the order of the manifest does not matter.
        name = min(p.key for p in members)
        draw = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64
        if any(p.source in TRAINING_SOURCES for p in members):
            splits["train"] += members
        elif draw < _REPORT_SHARE:
            splits["report"] += members
        elif draw < _REPORT_SHARE + _CHOOSE_SHARE:
            splits["choose"] += members
        else:
            splits["train"] += members
    return splits
