"""Gaze as databases publish it, without any flag: small files made after their descriptions -> the right fixations."""

import contextlib
import io
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from ingested import NUM_FRAMES, SIZE, fixations, write_film
from PIL import Image
from scipy.io import savemat

from data_pipelines.ingest import ingest
from data_pipelines.ingestion.gaze_files import read_gaze
from data_pipelines.ingestion.given_maps import read_given_fixations
from data_pipelines.raw import layout as raw_layout
from data_pipelines.raw.layout import RawLayout
from data_pipelines.runtime.errors import UserError


def densities(tmp_path: Path, film: str) -> list[np.ndarray]:
    layout = RawLayout(tmp_path / "raw")
    numbers = range(1, layout.num_frames("D", film) + 1)
    return [raw_layout.read_density(layout.density_path("D", film, number)) for number in numbers]


NAN = np.nan

# One observer at (10 + frame, 5), another at (50, 20) in the first three frames and lost after them.
TRACKS = np.full((2, NUM_FRAMES, 2), NAN)
TRACKS[:, :, 0] = [range(11, 17), [5] * NUM_FRAMES]
TRACKS[:, :3, 1] = [[50] * 3, [20] * 3]
WANTED = [[(11 + frame, 5), (50, 20)][: 2 if frame < 3 else 1] for frame in range(NUM_FRAMES)]
INFO = {"vidwidth": 64.0, "vidheight": 36.0, "nframe": 6.0, "fps": 10.0}
ELSEWHERE = np.full((2, NUM_FRAMES, 2), 1.0)


def matlab_5(variables: dict) -> bytes:
    file = io.BytesIO()
    savemat(file, variables, do_compression=True)
    return file.getvalue()


def matlab_7_3(variables: dict) -> bytes:
    file = io.BytesIO()

    def put(group, name, value):
        if isinstance(value, dict):
            inner = group.create_group(name)
            for field, content in value.items():
                put(inner, field, content)
        else:
            group.create_dataset(name, data=np.atleast_2d(value).T).attrs["MATLAB_class"] = np.bytes_("double")

    with h5py.File(file, "w", userblock_size=512) as content:
        for name, value in variables.items():
            put(content, name, value)
    return b"MATLAB 7.3 MAT-file".ljust(512) + file.getvalue()[512:]


def clip(tracks: np.ndarray) -> dict:
    return {"data": tracks, "info": INFO}


FRACTIONS = (TRACKS + 0.5) / np.array(SIZE).reshape(2, 1, 1)
MAT_FILES = {
    "coutrot_database1.mat": (
        {"Coutrot_Database1": {"FacesSounds": {"clip_1": clip(ELSEWHERE)}, "OriginalSounds": {"clip_1": clip(TRACKS)}}},
        "clip_1",
        "Coutrot 1: pixels of the film, frames from 1",
    ),
    "coutrot_database2.mat": (
        {"Coutrot_Database2": {"Visual": {"clip_1": clip(ELSEWHERE)}, "AudioVisual": {"clip_1": clip(TRACKS)}}},
        "clip_1",
        "Coutrot 2: pixels of the film, frames from 1",
    ),
    "all_videos.mat": (
        {"eye_data_all": {"DEP_1": np.concatenate([FRACTIONS, np.ones((1, NUM_FRAMES, 2))]), "GLA_1": ELSEWHERE}},
        "DEP_1",
        "SumMe and ETMD: fraction of the film, frames from 1",
    ),
    "DEP_2.mat": ({"eye_tracks": FRACTIONS}, "DEP_2", "DEP_2.mat: fraction of the film, frames from 1"),
}


@pytest.mark.parametrize("write", [matlab_5, matlab_7_3])
@pytest.mark.parametrize("name", MAT_FILES)
def test_arrays_of_databases_in_mat_files(add, tmp_path, name, write):
    variables, film, said = MAT_FILES[name]
    write_film(tmp_path / "films" / f"{film}.mkv")
    (tmp_path / name).write_bytes(write(variables))
    assert said in add(tmp_path / "films", tmp_path / name)
    assert fixations(tmp_path, film) == WANTED


def test_a_cell_of_tracks_is_read_whichever_way_they_lie(add, tmp_path):
    write_film(tmp_path / "films" / "a.mkv")
    tracks = np.empty(2, object)
    tracks[:] = [TRACKS[:, :, 0].T, TRACKS[:, :3, 1]]
    (tmp_path / "a.mat").write_bytes(matlab_5({"gaze": tracks}))
    add(tmp_path / "films", tmp_path / "a.mat")
    assert fixations(tmp_path, "a") == WANTED


def test_coutrot_2_on_its_screen_is_told_from_the_film(add, tmp_path):
    write_film(tmp_path / "films" / "clip_1.mkv")
    on_screen = TRACKS + np.array([(1280 - 64) / 2, (1024 - 36) / 2]).reshape(2, 1, 1)
    content = matlab_5({"Coutrot_Database2": {"AudioVisual": {"clip_1": clip(on_screen)}}})
    (tmp_path / "coutrot_database2.mat").write_bytes(content)
    said = add(tmp_path / "films", tmp_path / "coutrot_database2.mat")
    assert "Coutrot 2: pixels of a screen of 1280x1024, the film unscaled, frames from 1" in said
    assert fixations(tmp_path, "clip_1") == WANTED


@pytest.mark.parametrize(
    ("variables", "fault"),
    [
        ({"Coutrot_Database1": {"FacesSounds": {"clip_1": clip(TRACKS)}}}, "no OriginalSounds, but FacesSounds"),
        ({"something": np.eye(7)}, "no array of gaze .* but something"),
    ],
)
def test_a_mat_file_without_gaze_names_what_it_has(tmp_path, variables, fault):
    film = write_film(tmp_path / "a.mkv")
    (tmp_path / "a.mat").write_bytes(matlab_5(variables))
    with pytest.raises(UserError, match=f"a.mat: .*{fault}"):
        ingest([film], [tmp_path / "a.mat"], tmp_path / "raw", "D")


def test_a_mat_file_of_7_3_without_h5py_says_what_to_install(tmp_path, monkeypatch):
    film = write_film(tmp_path / "a.mkv")
    (tmp_path / "a.mat").write_bytes(matlab_7_3({"gaze": TRACKS}))
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(UserError, match="only h5py reads"):
        ingest([film], [tmp_path / "a.mat"], tmp_path / "raw", "D")


def test_savam(add, tmp_path):
    write_film(tmp_path / "films" / "v01_Hugo_2172_left.mkv")
    rows = [(900_000 + 50_000 * n, 30 * (11 + n // 2) + 15, 30 * 5 + 15, 0, 0) for n in range(2 * NUM_FRAMES)]
    rows[5] = (rows[5][0], 0, 0, 0, 0)
    gaze = tmp_path / "gaze"
    gaze.mkdir()
    text = "\n".join(" ".join(map(str, row)) for row in rows)
    (gaze / "v01_Hugo_2172_u001_m_21_1_bwd.txt").write_text(text)
    (gaze / "v01_Hugo_2172_u002_f_19_1_fwd.txt").write_text("100 1515 615 1500 615\n140 1515 615 1500 615\n")
    said = add(tmp_path / "films", gaze)
    assert "SAVAM: pixels of a screen of 1920x1080, the film fills it, times from the first sample, left eye" in said
    assert fixations(tmp_path, "v01_Hugo_2172_left") == [
        [(11, 5), (50, 20)], *([(11 + frame, 5)] for frame in range(1, NUM_FRAMES))
    ]  # fmt: skip


def test_records_of_dhf1k(add, tmp_path):
    write_film(tmp_path / "films" / "001.mkv")
    header = "Time\tType\tTrial\tL Dia X [px]\tL Dia Y [px]\tL POR X [px]\tL POR Y [px]\tL Event Info"
    x, y = 1440 / 64, 45  # the film of 64x36 fills the width of 1440x900
    lines = [f"10000\tSMP\t1\t9\t9\t{x * 40.5}\t{45 + x * 30.5}\tSaccade", "10001\tMSG\t1\t# Message: start"]
    for frame in range(NUM_FRAMES):
        time = 10000 + 100_000 * frame + 50_000
        lines.append(f"{time}\tSMP\t1\t9\t9\t{x * (11.5 + frame)}\t{y + x * 5.5}\tFixation")
    (tmp_path / "P01").mkdir()
    (tmp_path / "P01" / "P01_Trail001.txt").write_text("\n".join([header, *lines]))
    said = add(tmp_path / "films", tmp_path / "P01")
    assert "DHF1K: pixels of a screen of 1440x900, the film fills it, times from the first sample" in said
    assert "sigma: 12.7 pixels" in said
    assert fixations(tmp_path, "001") == [[(11 + frame, 5)] for frame in range(NUM_FRAMES)]


def density(frame: int) -> np.ndarray:
    """A map that is no Gaussian: a bright column that walks to the right."""
    columns = np.zeros(SIZE[::-1], np.uint8)
    columns[:, 8 * frame : 8 * frame + 8] = 200
    return columns


def fixation_map(frame: int) -> np.ndarray:
    fixations = np.zeros(SIZE[::-1], np.uint8)
    for x, y in WANTED[frame]:
        fixations[y, x] = 1
    return fixations


def save(path: Path, picture: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)


def save_mat(path: Path, **variables) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, variables)


def assert_maps_are_as_given(tmp_path: Path, film: str) -> None:
    assert fixations(tmp_path, film) == WANTED
    for frame, given in enumerate(densities(tmp_path, film)):
        assert np.abs(given.astype(int) - density(frame)).max() < 8  # JPEG


@pytest.mark.parametrize("kind", ["png", "mat", "both"])
def test_maps_of_dhf1k(add, tmp_path, caplog, kind):
    write_film(tmp_path / "video" / "601.mkv")
    folder = tmp_path / "annotation" / "0601"
    for frame in range(NUM_FRAMES):
        save(folder / "maps" / f"{frame + 1:04d}.png", density(frame))
        if kind != "mat":
            save(folder / "fixation" / f"{frame + 1:04d}.png", 255 * fixation_map(frame))
        if kind != "png":
            save_mat(folder / "fixation" / "maps" / f"{frame + 1:04d}.mat", I=fixation_map(frame))
    (tmp_path / "annotation" / "gaze.csv").write_text("frame,x,y\n1,20,10\n")
    save(folder / "0006.png", np.zeros((36, 64, 3), np.uint8))  # the last frame lies beside them
    said = add(tmp_path / "video", tmp_path / "annotation")
    assert "DHF1K: density and fixation maps as given" in said
    assert "holds maps of films, so that 1 tables in it are not read; first: gaze.csv" in caplog.text
    assert_maps_are_as_given(tmp_path, "601")


@pytest.mark.parametrize("video", ["actioncliptest00001_1", "Diving-Side-001"])
def test_maps_beside_frames_as_hollywood_2_and_ucf_sports_have_them(add, tmp_path, video):
    for frame in range(NUM_FRAMES):
        name = f"{video}_{frame + 23:05d}.png"  # frames of a shot keep the numbers that they have in the film
        save(tmp_path / "test" / video / "images" / name, np.full((36, 64, 3), 40 * frame, np.uint8))
        save(tmp_path / "test" / video / "maps" / name, density(frame))
        save(tmp_path / "test" / video / "fixation" / name, 255 * fixation_map(frame))
    add(tmp_path / "test", tmp_path / "test")
    assert_maps_are_as_given(tmp_path, video)


def test_annotations_of_the_authors_archives_are_maps_too(add, tmp_path):
    write_film(tmp_path / "films" / "V1.mkv")
    for frame in range(NUM_FRAMES):
        save(tmp_path / "AVAD" / "V1" / "maps" / f"eyeMap_{frame + 1:05d}.jpg", density(frame))
        save_mat(tmp_path / "AVAD" / "V1" / f"fixMap_{frame + 1:05d}.mat", eyeMap=fixation_map(frame))
    add(tmp_path / "films", tmp_path / "AVAD")
    assert_maps_are_as_given(tmp_path, "V1")


def test_fixation_maps_alone_are_blurred_as_the_database_does(add, tmp_path):
    write_film(tmp_path / "films" / "Diving-Side-001.mkv")
    for frame in range(NUM_FRAMES):
        save(tmp_path / "gaze" / "Diving-Side-001" / "fixation" / f"{frame + 1}.png", 255 * fixation_map(frame))
    said = add(tmp_path / "films", tmp_path / "gaze")
    assert "UCF-Sports: fixation maps as given; sigma: 20 pixels of the film" in said
    assert fixations(tmp_path, "Diving-Side-001") == WANTED
    last = densities(tmp_path, "Diving-Side-001")[-1]  # a single fixation, at (16, 5)
    assert last[5, 36] == pytest.approx(255 * np.exp(-0.5), abs=4)


def test_maps_numbered_from_0_and_of_another_size_are_on_their_frames(add, tmp_path):
    write_film(tmp_path / "films" / "a.mkv", (128, 72))
    for frame in range(NUM_FRAMES):
        save(tmp_path / "gaze" / "a" / "maps" / f"{frame}.png", density(frame))
        save(tmp_path / "gaze" / "a" / "fixation" / f"{frame}.png", 255 * fixation_map(frame))
    add(tmp_path / "films", tmp_path / "gaze")
    assert fixations(tmp_path, "a") == [[(2 * x + 1, 2 * y + 1) for x, y in points] for points in WANTED]
    assert [given[36].argmax() // 16 for given in densities(tmp_path, "a")] == list(range(NUM_FRAMES))


def test_maps_of_another_shape_and_of_missing_frames_are_told(tmp_path, caplog):
    for name in ("a", "b"):
        write_film(tmp_path / "films" / f"{name}.mkv")
    for frame in range(NUM_FRAMES + 2):
        save(tmp_path / "gaze" / "a" / "fixation" / f"{frame + 1}.png", 255 * fixation_map(0))
        save(tmp_path / "gaze" / "b" / "fixation" / f"{frame + 1}.png", 255 * fixation_map(0).T)
    report = ingest([tmp_path / "films"], [tmp_path / "gaze"], tmp_path / "raw", "D", workers=1)
    assert [film.name for film in report.films] == ["a"]
    assert "2 films have maps of frames that they do not have; first: 2 of a" in caplog.text
    assert "b has maps of 36x64 for frames of 64x36" in caplog.text


def test_density_maps_without_fixations_are_refused(tmp_path):
    film = write_film(tmp_path / "a.mkv")
    save(tmp_path / "gaze" / "a" / "maps" / "1.png", density(0))
    with pytest.raises(UserError, match="has no fixation maps, only density maps"):
        ingest([film], [tmp_path / "gaze"], tmp_path / "raw", "D")


def test_flags_go_before_what_a_database_is_known_for(tmp_path):
    film = write_film(tmp_path / "films" / "DEP_1.mkv")
    (tmp_path / "all.mat").write_bytes(matlab_5({"eye_data_all": {"DEP_1": TRACKS}}))
    report = ingest([film], [tmp_path / "all.mat"], tmp_path / "raw", "D", units="pixels", workers=1)
    assert report.units == "pixels"
    assert fixations(tmp_path, "DEP_1") == WANTED


def test_a_folder_that_is_only_called_maps_is_none(add, tmp_path):
    write_film(tmp_path / "films" / "a.mkv")
    (tmp_path / "gaze" / "maps").mkdir(parents=True)
    (tmp_path / "gaze" / "a.csv").write_text("frame,x,y\n1,20,10\n")
    add(tmp_path / "films", tmp_path / "gaze")
    assert fixations(tmp_path, "a")[0] == [(20, 10)]


def test_damaged_mat_files_end_in_one_line(tmp_path):
    content, draw = matlab_5(MAT_FILES["coutrot_database1.mat"][0]), np.random.default_rng(0)
    plain = io.BytesIO()
    savemat(plain, MAT_FILES["coutrot_database1.mat"][0])
    path = tmp_path / "a.mat"
    for number in range(400):
        changed = bytearray(content if number % 2 else plain.getvalue())
        changed[draw.integers(126, len(changed))] = draw.integers(256)
        path.write_bytes(changed)
        with contextlib.suppress(UserError):
            read_gaze([path])


def test_a_mat_file_without_a_position_leaves_its_film_out(tmp_path):
    film = write_film(tmp_path / "a.mkv")
    (tmp_path / "a.mat").write_bytes(matlab_5({"gaze": np.full((2, 3, 2), NAN)}))
    with pytest.raises(UserError, match="no film can be used; first: a has no gaze within its picture and time"):
        ingest([film], [tmp_path / "a.mat"], tmp_path / "raw", "D", workers=1)


def test_the_grey_that_jpeg_leaves_around_a_fixation_is_none(tmp_path):
    picture = np.zeros((36, 64), np.uint8)
    picture[10, 20] = 255
    Image.fromarray(picture).save(tmp_path / "1.jpg", quality=90)
    with Image.open(tmp_path / "1.jpg") as stored:
        assert np.count_nonzero(np.asarray(stored)) > 1
    assert np.argwhere(read_given_fixations(tmp_path / "1.jpg")).tolist() == [[10, 20]]


def test_fixations_in_sixteen_bits_are_fixations_whatever_their_level(tmp_path):
    Image.fromarray(np.uint16([[0, 1, 65535]])).save(tmp_path / "1.png")
    assert read_given_fixations(tmp_path / "1.png").tolist() == [[0, 1, 1]]
