"""Annotations at their own size, from raw data and from shards alike."""

import pickle
import sys

import numpy as np
import pytest
import scipy.io
from PIL import Image

from data_pipelines.prepare import main
from data_pipelines.raw import layout as raw_layout
from data_pipelines.raw.layout import RawLayout
from data_pipelines.runtime.errors import UserError
from data_pipelines.shards import native_annotations, records
from data_pipelines.shards.annotations import open_annotations
from data_pipelines.shards.reader import Shards


def test_every_frame_is_the_raw_files_own(tiny_shards):
    shards, layout = Shards(tiny_shards), RawLayout(tiny_shards.parent / "raw")
    for number, film in enumerate(shards.films):
        for frame in range(1, film.num_frames + 1):
            found, file = shards.native_annotation(number, frame), (film.database, film.name, frame)
            np.testing.assert_array_equal(found.density, raw_layout.read_density(layout.density_path(*file)))
            np.testing.assert_array_equal(found.fixations, raw_layout.read_fixations(layout.fixation_path(*file)))
            assert (found.density.dtype, found.fixations.dtype) == (np.uint8, np.uint8)


def test_maps_of_any_kind_and_size_are_kept(tmp_path, film_writer, list_writer):
    film_writer(tmp_path, "Mine", "clip", 3)
    list_writer(tmp_path, "Mine_list_train_1_fps.txt", "clip 3 10\n")
    layout, rng = RawLayout(tmp_path), np.random.default_rng(0)
    colours = Image.fromarray(rng.integers(0, 256, (30, 40, 3), np.uint8))
    colours.save(layout.density_path("Mine", "clip", 1))
    colours.convert("P").save(layout.density_path("Mine", "clip", 2), "PNG")
    scipy.io.savemat(layout.fixation_path("Mine", "clip", 2), {"eyeMap": np.zeros((7, 300), np.uint8)})
    scipy.io.savemat(layout.fixation_path("Mine", "clip", 3), {"eyeMap": np.ones((5, 6))})
    main(["--data", str(tmp_path), "--output", str(tmp_path / "shards"), "--size", "8", "--workers", "1"])
    for frame in (1, 2, 3):
        found = Shards(tmp_path / "shards").native_annotation(0, frame)
        np.testing.assert_array_equal(
            found.density, raw_layout.read_density(layout.density_path("Mine", "clip", frame))
        )
        np.testing.assert_array_equal(
            found.fixations, raw_layout.read_fixations(layout.fixation_path("Mine", "clip", frame))
        )
    assert found.fixations.shape == (5, 6)


def test_tfds_reads_the_stored_bytes_and_positions(tiny_shards):
    import tensorflow_datasets as tfds

    layout = RawLayout(tiny_shards.parent / "raw")
    source = tfds.builder_from_directory(tiny_shards / "annotations").as_data_source("frames")
    record, first = source[4], Shards(tiny_shards).films[0].name
    assert (record["video"].decode(), record["frame"], record["height"], record["width"]) == (first, 5, 10, 12)
    assert record["density"] == layout.density_path("Mine", first, 5).read_bytes()
    fixations = raw_layout.read_fixations(layout.fixation_path("Mine", first, 5))
    np.testing.assert_array_equal(record["fixations"], np.argwhere(fixations))
    assert "tensorflow" not in sys.modules


def test_raw_data_and_shards_give_the_same(tiny_shards):
    raw, stored = (
        open_annotations(tiny_shards.parent / "raw"),
        pickle.loads(pickle.dumps(open_annotations(tiny_shards))),
    )
    assert raw.databases() == stored.databases() == ["Mine"]
    for subset in ("train", "test"):
        assert raw.films(subset, 2) == stored.films(subset, 2)
    for frame in (1, 20):
        np.testing.assert_array_equal(raw.density("Mine", "short", frame), stored.density("Mine", "short", frame))
        np.testing.assert_array_equal(raw.fixations("Mine", "short", frame), stored.fixations("Mine", "short", frame))
    for source in (raw, stored):
        for absent in (("Mine", "short", 21), ("Mine", "short", 0), ("Mine", "none", 1), ("None", "short", 1)):
            assert source.density(*absent) is None
            assert source.fixations(*absent) is None
        with pytest.raises(UserError, match="split"):
            source.films("test", 4)


def test_shards_without_annotations_say_so(tmp_path, film_writer, list_writer):
    film_writer(tmp_path, "Mine", "clip", 2)
    list_writer(tmp_path, "Mine_list_train_1_fps.txt", "clip 2 10\n")
    output = tmp_path / "shards"
    main(["--data", str(tmp_path), "--output", str(output), "--size", "8", "--workers", "1", "--no-annotations"])
    assert not (output / "annotations").exists()
    assert Shards(output).read(0, 2).image.shape == (8, 8, 3)
    for read in (lambda: Shards(output).native_annotation(0, 1), lambda: open_annotations(output)):
        with pytest.raises(UserError, match="holds no annotations at their own size"):
            read()


def test_frame_outside_a_film_is_refused(tiny_shards):
    with pytest.raises(IndexError):
        Shards(tiny_shards).native_annotation(0, 0)


def test_training_does_not_open_them(tiny_shards, monkeypatch):
    opened = []
    monkeypatch.setattr(
        records.array_record_module, "ArrayRecordReader", lambda path, options: opened.append(path) or 1 / 0
    )
    with pytest.raises(ZeroDivisionError):
        Shards(tiny_shards).read(0, 1)
    assert len(opened) == 1
    assert native_annotations.DATASET_NAME not in opened[0]
