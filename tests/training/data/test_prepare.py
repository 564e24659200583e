"""Preparing folders: what is kept, what is dropped and counted, and the errors."""

import csv
import errno
import io
import os
import struct
import tarfile

import numpy as np
import pytest
from colorize_server.color.rgb import PROPHOTO, SRGB, RgbSpace
from colorize_training.data.perceptual import distances, perceptual_hash
from colorize_training.data.prepare import PrepareOptions, open_upright, prepare
from colorize_training.data.shards import PictureStore, read_manifest
from colorize_training.errors import DataError, DiskError
from colorize_training.samples.drawn import make_photo
from PIL import Image, ImageCms

OPTIONS = PrepareOptions(side_px=48, min_side_px=32)


def test_good_pictures_are_kept_and_bad_ones_counted(tmp_path):
    photos = tmp_path / "in"
    photos.mkdir()
    good = make_photo(1)
    good.save(photos / "good.png")
    make_photo(2).save(photos / "other.jpg", quality=90)
    good.resize((120, 96)).save(photos / "twin.png")
    good.convert("L").save(photos / "grey.png")
    sepia = np.asarray(good.convert("L"), np.float32)[..., None] * np.array([1.0, 0.85, 0.6])
    Image.fromarray(sepia.astype(np.uint8)).save(photos / "sepia.png")
    make_photo(3, side=16).save(photos / "tiny.png")
    (photos / "renamed.jpg").write_text("not a picture")
    (photos / "cut.png").write_bytes((photos / "good.png").read_bytes()[:3000])
    (photos / "empty.webp").write_bytes(b"")
    (photos / "notes.txt").write_text("ignored")
    report = prepare(photos, tmp_path / "out", OPTIONS)
    assert report.found == 9
    assert report.kept == 2
    assert report.dropped == {"corrupt": 3, "grey": 1, "toned": 1, "tiny": 1, "duplicate": 1}
    assert "3 corrupt" in str(report)


def test_the_most_colourful_are_kept(photos, tmp_path):
    everything = prepare(photos, tmp_path / "all", OPTIONS)
    few = prepare(photos, tmp_path / "few", PrepareOptions(keep=5, side_px=48, min_side_px=32))
    assert everything.kept == 24
    assert few.kept == 5
    best = sorted((p.colorfulness for p in read_manifest(tmp_path / "all")), reverse=True)[:5]
    assert sorted((p.colorfulness for p in read_manifest(tmp_path / "few")), reverse=True) == best


def test_shards_hold_what_the_manifest_says(shards):
    pictures = read_manifest(shards)
    store = PictureStore(shards, pictures)
    assert {p.set for p in pictures} == {"people", "scenes"}
    assert {p.source for p in pictures if p.set == "scenes"} == {"source0", "source1"}
    for picture in pictures[::5]:
        image = store.open(picture)
        assert image.size == (picture.width, picture.height)
        assert min(image.size) == 64
        assert distances(np.array([picture.phash], np.uint64), perceptual_hash(image))[0] <= 6


def test_shards_are_plain_tar_files_and_equal_input_gives_equal_bytes(photos, tmp_path):
    for name in ("a", "b"):
        prepare(photos, tmp_path / name, OPTIONS)
    first, second = ((tmp_path / name / "scenes-0000.tar").read_bytes() for name in ("a", "b"))
    assert first == second
    with tarfile.open(fileobj=io.BytesIO(first)) as tar:
        assert len(tar.getmembers()) == 24
    with (tmp_path / "a" / "manifest.csv").open() as file:
        assert next(csv.reader(file))[:3] == ["shard", "key", "set"]


WIDE = RgbSpace("wide", PROPHOTO.to_xyz_d50, SRGB.curves)


def _wide_profile():
    """An ICC profile of ``WIDE``: that of sRGB with other primaries (ICC.1:2022, 7.3 tag table, 10.31 XYZType)."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    (count,) = struct.unpack_from(">I", data, 128)
    for entry in range(count):
        name, offset, _ = struct.unpack_from(">4sII", data, 132 + 12 * entry)
        if name in (b"rXYZ", b"gXYZ", b"bXYZ"):
            column = np.rint(WIDE.to_xyz_d50[:, b"rgb".index(name[0])] * 65536).astype(int)
            struct.pack_into(">3i", data, offset + 8, *column)
    return bytes(data)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_colours_are_read_by_the_embedded_profile(mode, tmp_path):
    true = np.asarray(make_photo(1, side=32))
    wide = WIDE.encoded_from_lab(SRGB.lab_from_encoded(true / 255)).clip(0, 1)
    wide8 = np.rint(wide * 255).astype(np.uint8)
    assert np.abs(wide8.astype(int) - true).mean() > 10  # read as sRGB it would be paler
    path = tmp_path / "wide.png"
    Image.fromarray(wide8).convert(mode).save(path, icc_profile=_wide_profile())
    found = open_upright(path)
    assert np.abs(np.asarray(found).astype(int) - true).mean() < 1  # dark ones by more: 8 bits of a wide space are few
    assert found.mode == "RGB"
    assert "icc_profile" not in found.info  # nor is it written into the shards


@pytest.mark.parametrize("profile", ["cut off", "of grey", "no profile"])
def test_a_profile_that_cannot_be_used_is_taken_for_srgb(profile, tmp_path):
    from icc_profiles import grey_profile

    data = {"cut off": _wide_profile()[:200], "of grey": grey_profile(gamma=2.2), "no profile": b"none"}[profile]
    photo = make_photo(2, side=32)
    path = tmp_path / "photo.png"
    photo.save(path, icc_profile=data)
    assert np.array_equal(np.asarray(open_upright(path)), np.asarray(photo))


def test_a_disk_that_fills_up_leaves_nothing_half_written(photos, tmp_path, monkeypatch):
    out = tmp_path / "out"
    prepare(photos, out, OPTIONS)
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskError, match="disk is full") as caught:
        prepare(photos, out, PrepareOptions(set="people", side_px=48, min_side_px=32))
    assert "--out" in caught.value.remedy
    assert "--resume" not in caught.value.remedy
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_the_manifest_comes_after_the_shards_that_it_names(photos, tmp_path, monkeypatch):
    out, replace, seen = tmp_path / "out", type(tmp_path).replace, []
    monkeypatch.setattr(type(tmp_path), "replace", lambda path, to: seen.append(to.name) or replace(path, to))
    prepare(photos, out, OPTIONS)
    assert seen == ["scenes-0000.tar", "manifest.csv"]


@pytest.mark.parametrize("kind", ["missing", "empty", "grey only", "set exists"])
def test_what_cannot_be_prepared_is_named_with_a_remedy(kind, tmp_path, photos):
    folder, out = tmp_path / "in", tmp_path / "out"
    if kind != "missing":
        folder.mkdir()
    if kind == "grey only":
        make_photo(1).convert("L").save(folder / "grey.png")
    if kind == "set exists":
        folder = photos
        prepare(photos, out, OPTIONS)
    with pytest.raises(DataError) as caught:
        prepare(folder, out, OPTIONS)
    assert caught.value.remedy
    assert str(folder) in str(caught.value) or str(out) in str(caught.value)


def test_a_hash_survives_scaling_and_tells_pictures_apart():
    photo = make_photo(5, side=200)
    own = np.array([perceptual_hash(photo)], np.uint64)
    assert distances(own, perceptual_hash(photo.resize((140, 112))))[0] <= 6
    assert distances(own, perceptual_hash(make_photo(6, side=200)))[0] > 10


def test_a_manifest_that_lacks_a_column_is_refused(tmp_path):
    (tmp_path / "manifest.csv").write_text("shard,key\na.tar,b.webp\n")
    with pytest.raises(DataError, match="Line 2"):
        read_manifest(tmp_path)
