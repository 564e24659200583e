"""Preparing folders: what is kept, what is dropped and counted, and the errors."""

import csv
import io
import tarfile

import numpy as np
import pytest
from colorize_training.errors import DataError
from colorize_training.perceptual import distances, perceptual_hash
from colorize_training.prepare import PrepareOptions, prepare
from colorize_training.shards import PictureStore, read_manifest
from colorize_training.smoke import make_photo
from PIL import Image

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
