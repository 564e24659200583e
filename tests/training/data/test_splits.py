"""Splits: near-twins and small sources stay together, whatever the order of the manifest."""

import random
from dataclasses import replace

import numpy as np
from colorize_training.data.shards import Picture
from colorize_training.data.splits import (
    SPLITS,
    TRAINING_SOURCES,
    WHOLE_SOURCE_PICTURES,
    hash_neighbour_pairs,
    split_pictures,
)


def _pictures(count=3000, seed=0):
    rng = np.random.default_rng(seed)
    hashes = rng.integers(0, 2**63, count)
    pictures = []
    for i in range(count):
        phash = int(hashes[i])
        if i % 10 == 1:  # a near-twin of the one before
            phash = int(hashes[i - 1]) ^ 0b1011
        source = f"small{i % 7}" if i < 7 * WHOLE_SOURCE_PICTURES // 2 else "large"
        pictures.append(Picture("s.tar", f"k{i:05d}", "scenes", source, "", 256, 256, 30.0, phash))
    return pictures


def test_every_picture_is_in_one_split_and_the_shares_are_about_right():
    pictures = _pictures()
    splits = split_pictures(pictures)
    keys = [p.key for name in SPLITS for p in splits[name]]
    assert sorted(keys) == sorted(p.key for p in pictures)
    assert 0.02 < len(splits["report"]) / len(pictures) < 0.1
    assert 0.005 < len(splits["choose"]) / len(pictures) < 0.08


def test_near_twins_and_small_sources_are_never_parted():
    pictures = _pictures()
    side = {p.key: name for name, members in split_pictures(pictures).items() for p in members}
    for i in range(1, len(pictures), 10):
        assert side[pictures[i].key] == side[pictures[i - 1].key]
    for n in range(7):
        assert len({side[p.key] for p in pictures if p.source == f"small{n}"}) == 1


def test_sources_full_of_altered_copies_are_only_learned_from():
    pictures = [replace(p, source=TRAINING_SOURCES[0]) if p.source == "large" else p for p in _pictures()]
    splits = split_pictures(pictures)
    assert all(p.source not in TRAINING_SOURCES for name in ("choose", "report") for p in splits[name])
    assert {p.source for p in splits["train"]} >= {TRAINING_SOURCES[0]}


def test_the_order_of_the_manifest_does_not_matter():
    pictures = _pictures()
    expected = {name: {p.key for p in members} for name, members in split_pictures(pictures).items()}
    random.Random(3).shuffle(pictures)
    assert {name: {p.key for p in members} for name, members in split_pictures(pictures).items()} == expected


def test_hash_pairs_are_those_of_the_plain_definition():
    rng = np.random.default_rng(4)
    hashes = [int(h) for h in rng.integers(0, 2**20, 60)]
    expected = [(i, j) for i in range(60) for j in range(i + 1, 60) if (hashes[i] ^ hashes[j]).bit_count() <= 6]
    assert sorted(hash_neighbour_pairs(hashes, 6)) == expected
