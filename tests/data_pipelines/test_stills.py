"""Pictures and their gaze -> stills in raw data -> shards -> clips: one frame each, on disk and in every list."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from data_pipelines import open_clips
from data_pipelines.clips.batches import clips_per_epoch, training_batches
from data_pipelines.ingest import main
from data_pipelines.prepare import prepare
from data_pipelines.raw import layout as raw_layout
from data_pipelines.raw.fold_lists import read_films
from data_pipelines.raw.layout import RawLayout

SIZE = (64, 48)
EXIF_ORIENTATION, TURN_LEFT = 0x0112, 8


def save(path: Path, size: tuple[int, int] = SIZE, orientation: int = 1, **options) -> Path:
    """A picture that is white in its upper left quarter, as it is shown."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    pixels[: size[1] // 2, : size[0] // 2] = 255
    exif = Image.Exif()
    if orientation == TURN_LEFT:
        pixels = np.rot90(pixels, -1)  # a viewer turns it back
        exif[EXIF_ORIENTATION] = orientation
    Image.fromarray(np.ascontiguousarray(pixels)).save(path, exif=exif, **options)
    return path


@pytest.fixture
def pictures(tmp_path) -> Path:
    for name in ("one.jpg", "two.png", "three.jpeg"):
        save(tmp_path / "pictures" / name)
    return tmp_path / "pictures"


@pytest.fixture
def add(pictures, tmp_path, capsys):
    """Ingests pictures by the command as the database D, and returns what it printed."""

    def run(gaze, *flags) -> str:
        if isinstance(gaze, str):
            (tmp_path / "gaze.csv").write_text(gaze)
            gaze = tmp_path / "gaze.csv"
        arguments = ["--stills", "--films", pictures, "--gaze", gaze, "--database", "D", "--output", tmp_path / "raw"]
        main([str(argument) for argument in (*arguments, "--workers", 1, *flags)])
        return capsys.readouterr().out

    return run


@pytest.fixture
def fixated(tmp_path):
    """Returns the fixated pixels (x, y) of a picture's only frame."""

    def read(name: str) -> list[list[int]]:
        layout = RawLayout(tmp_path / "raw")
        assert layout.num_frames("D", name) == 1
        return np.argwhere(raw_layout.read_fixations(layout.fixation_path("D", name, 1)))[:, ::-1].tolist()

    return read


TABLE = "image,observer,time,duration,x,y\n" + "".join(
    f"{name},{observer},{1000 * place},250,{10 + place},{20 + place}\n"
    for name in ("one.jpg", "two.jpg", "three")
    for place, observer in enumerate("AB")
)


def test_all_gaze_on_a_picture_is_on_its_one_frame(add, fixated, tmp_path, caplog):
    said = add(TABLE, "--test", "two")
    assert said.endswith("D, 3 pictures; 6 gaze points of 2 observers.\n")
    assert not caplog.records  # of sound and of times, which pictures do not have
    for name in ("one", "two", "three"):
        assert fixated(name) == [[10, 20], [11, 21]]
    layout = RawLayout(tmp_path / "raw")
    assert [(film.name, film.num_frames) for film in read_films(layout, "train", 1)] == [("one", 1), ("three", 1)]
    assert layout.observers_path("D", "one").is_file()
    assert layout.frame_path("D", "one", 1).read_bytes() == (tmp_path / "pictures" / "one.jpg").read_bytes()


def test_gaze_needs_no_time(add, fixated):
    add("video,x,y\none,5,6\ntwo,7,8\n")
    assert fixated("one") == [[5, 6]]
    assert fixated("two") == [[7, 8]]


def test_pictures_are_upright_as_they_were_shown(add, pictures, tmp_path):
    save(pictures / "one.jpg", orientation=TURN_LEFT)
    add(TABLE)
    layout = RawLayout(tmp_path / "raw")
    frame = raw_layout.read_frame(layout.frame_path("D", "one", 1))
    assert frame.shape == (48, 64, 3)
    assert frame[:20, :28].min() > 200 > 50 > frame[28:].max()
    assert raw_layout.read_density(layout.density_path("D", "one", 1)).shape == (48, 64)


def test_higher_pictures_are_scaled_down_with_their_gaze(add, fixated, tmp_path):
    add(TABLE, "--height", 24)
    assert raw_layout.read_frame(RawLayout(tmp_path / "raw").frame_path("D", "one", 1)).shape == (24, 32, 3)
    assert fixated("one") == [[5, 10]]


def test_gaze_is_drawn_over_the_picture(add, tmp_path):
    said = add("image,observer,x,y\none,A,50,40\none,B,20,40\none,B,70,40\n", "--check")
    folder = tmp_path / "raw" / "annotations" / "D" / "one"
    assert f"one: 66.7% of 3 gaze points within the picture; {folder}/check.png.\n" in said
    assert not (folder / "check.mp4").exists()
    with Image.open(folder / "check.png") as drawn:
        assert drawn.width >= 64 + 16 and drawn.height >= 48 + 12
        assert drawn.getpixel((8 + 50, 6 + 40)) == (0, 230, 255)  # a dot, within a margin of an eighth


def test_clips_and_batches_repeat_the_frame(add, tmp_path):
    add(TABLE, "--test", "two")
    shards = prepare(tmp_path / "raw", tmp_path / "shards", size=8, workers=1)
    for subset, name in (("train", "one"), ("test", "two")):
        item = open_clips(shards, subset)[0]
        assert (item["video"], item["frames"].tolist(), item["target_frame"]) == (name, [1] * 16, 1)
        assert (item["clip"] == item["clip"][0]).all()
        assert item["density"].any() and item["fixations"].any() and not item["waveform"].any()
    assert clips_per_epoch(shards, split=1) == 2
    batch = next(training_batches(shards, split=1, batch_size=2, seed=0))
    assert batch["clip"].shape == (2, 16, 8, 8, 3)
    assert sorted(batch["film"].tolist()) == [0, 1]


def test_films_of_one_frame_among_longer_ones_are_still_left_out(add, tmp_path, caplog, film_writer):
    add(TABLE, "--test", "two")
    film_writer(tmp_path / "raw", "D", "long", 20)
    lists = tmp_path / "raw" / "fold_lists" / "D_list_train_fps.txt"
    lists.write_text(lists.read_text() + "long 20 10\n")
    assert [film.name for film in read_films(RawLayout(tmp_path / "raw"), "train", 1)] == ["long"]
    assert "2 of 3 listed films are skipped; first: D/one has a single frame" in caplog.text


def cell(items: list) -> np.ndarray:
    cells = np.empty((1, len(items)), object)
    cells[0, :] = items
    return cells


def test_osie(add, fixated, tmp_path):
    def subject(x, y):
        return {"fix_x": np.array([x]), "fix_y": np.array([y]), "fix_duration": np.uint16([[200] * len(x)])}

    of_pictures = [
        {"img": name, "subjects": cell([subject([1.0, 30.4], [1.0, 10.6]), subject([64.4], [48.4])])}
        for name in ("one.jpg", "two.jpg")
    ]
    savemat(tmp_path / "fixations.mat", {"fixations": cell(of_pictures)})
    said = add(tmp_path / "fixations.mat")
    assert "OSIE: pixels" in said and "sigma: 24 pixels" in said and "2 pictures; 6 gaze points of 2 observers" in said
    assert sorted(fixated("one")) == [[0, 0], [29, 10], [63, 47]]  # pixels are counted from 1 in the file


def test_salicons_json_has_rows_before_columns(add, fixated, tmp_path):
    images = [{"id": 7, "file_name": "one.jpg"}, {"id": 8, "file_name": "elsewhere.jpg"}]
    annotations = [
        {"id": 1, "image_id": 7, "worker_id": 3, "fixations": [[1, 64], [20, 30]]},
        {"id": 2, "image_id": 7, "worker_id": 4, "fixations": [[48, 1]]},
        {"id": 3, "image_id": 8, "worker_id": 4, "fixations": [[48, 1]]},
    ]
    (tmp_path / "made.json").write_text(json.dumps({"info": {}, "images": images, "annotations": annotations}))
    said = add(tmp_path / "made.json")
    assert "SALICON" in said and "sigma: 19 pixels" in said and "1 pictures; 3 gaze points of 2 observers" in said
    assert sorted(fixated("one")) == [[0, 47], [29, 19], [63, 0]]


def test_salicons_mat_files_are_named_after_pictures(add, fixated, tmp_path):
    (tmp_path / "fixations").mkdir()
    gaze = np.array(
        [([[1, 1]], [[0]], [[3, 4], [5, 6]]), ([[1, 1]], [[0]], [[64, 48]])],
        [("location", object), ("timestamp", object), ("fixations", object)],
    )
    savemat(tmp_path / "fixations" / "one.mat", {"gaze": gaze, "image": "one.jpg", "resolution": [48, 64]})
    add(tmp_path / "fixations")
    assert sorted(fixated("one")) == [[2, 3], [4, 5], [63, 47]]


def test_mit1003_samples_become_fixations_without_the_first(add, fixated, tmp_path):
    def samples(*places):
        return np.concatenate([np.tile([x, y], (60, 1)) + np.linspace(-1, 1, 60)[:, None] for x, y in places])

    lost = np.full((5, 2), -100.0)
    for observer, at in (("ab", (40.5, 20.5)), ("cd", (10.5, 30.5))):
        eye = np.concatenate([samples((32, 24)), lost, samples(at)])
        (tmp_path / "DATA" / observer).mkdir(parents=True)
        savemat(tmp_path / "DATA" / observer / "one.mat", {"one": {"DATA": {"eyeData": eye}}})
    said = add(tmp_path / "DATA")
    assert "MIT1003: pixels" in said and "2 gaze points of 2 observers" in said
    assert sorted(fixated("one")) == [[10, 30], [40, 20]]


def test_mit1003_maps_are_taken_as_given(add, fixated, tmp_path):
    folder = tmp_path / "ALLFIXATIONMAPS"
    folder.mkdir()
    points, density = np.zeros((48, 64), np.uint8), np.zeros((48, 64), np.uint8)
    points[8, 16], density[4:12, 12:20] = 255, 200
    for name, pixels in (("one_fixPts", points), ("one_fixMap", density)):
        Image.fromarray(pixels).save(folder / f"{name}.jpg", quality=100)
    assert "MIT1003: density and fixation maps as given" in add(folder)
    assert fixated("one") == [[16, 8]]
    layout = RawLayout(tmp_path / "raw")
    found = raw_layout.read_density(layout.density_path("D", "one", 1))
    assert abs(found.astype(int) - density).max() < 20
    (folder / "one_fixMap.jpg").unlink()
    with pytest.raises(SystemExit, match=r"has no one_fixMap\.jpg beside it"):
        add(folder, "--overwrite")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ({"annotations": [{"image_id": 1, "fixations": []}], "images": []}, "is not of SALICON's form"),
        ({"annotations": 3, "images": []}, "is not of SALICON's form"),
        (
            {"annotations": [{"image_id": 1, "fixations": [[10**400, 1]]}], "images": [{"id": 1, "file_name": "a"}]},
            "is not of SALICON's form",
        ),
    ],
)
def test_damaged_annotations_are_one_line(add, tmp_path, content, fault):
    (tmp_path / "made.json").write_text(json.dumps(content))
    with pytest.raises(SystemExit, match=fault):
        add(tmp_path / "made.json")


def test_films_are_no_pictures_and_pictures_no_films(add, pictures, tmp_path):
    moving = [Image.new("RGB", SIZE, (shade, 0, 0)) for shade in (0, 200)]
    moving[0].save(pictures / "moving.webp", save_all=True, append_images=moving[1:])
    with pytest.raises(SystemExit, match=r"moving\.webp: is a film, not a picture"):
        add("image,x,y\nmoving,3,4\n")
    arguments = ["--films", pictures / "one.jpg", "--gaze", tmp_path / "gaze.csv", "--database", "D"]
    (tmp_path / "gaze.csv").write_text("video,time,x,y\none,0,3,4\n")
    with pytest.raises(SystemExit, match=r"one\.jpg: is a single picture.*--stills"):
        main([str(argument) for argument in (*arguments, "--output", tmp_path / "raw", "--workers", 1)])


def test_what_is_no_picture_is_named(add, pictures):
    for name, content, fault in (
        ("broken.jpg", save(pictures / "x.jpg").read_bytes()[:400], "broken.jpg: cannot be read as a picture"),
        ("text.jpg", b"no picture", "text.jpg: "),
    ):
        (pictures / name).write_bytes(content)
        with pytest.raises(SystemExit, match=fault):
            add(f"image,x,y\n{name},3,4\n")
        (pictures / name).unlink()
