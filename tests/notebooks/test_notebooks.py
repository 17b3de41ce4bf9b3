"""Runs both notebooks at a small size in an empty folder and checks what they write."""

import json
import math
from pathlib import Path

import av
import nbclient
import nbformat
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
NAMES = ("colab_tpu_train", "predict_your_video")
CELL_LINES = 30
CELL_SECONDS = 600
SMALL_TRAINING = {
    "demo.train_films": 4,
    "demo.test_films": 1,
    "demo.frames": 18,
    "demo.size": 32,
    "stages.visual.epochs": 1,
    "stages.visual.batch_size": 1,  # rounded up to the number of devices
    "stages.visual.effective_batch": 2,
    "stages.audiovisual.epochs": 1,
    "stages.audiovisual.batch_size": 2,
    "stages.audiovisual.effective_batch": 2,
    "evaluation.pictures": 1,
}
NUM_FRAMES = 20


def read(name: str) -> nbformat.NotebookNode:
    return nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=nbformat.NO_CONVERT)


def place_of(notebook: nbformat.NotebookNode, cell_id: str) -> int:
    (place,) = (i for i, cell in enumerate(notebook.cells) if cell.id == cell_id)
    return place


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs a notebook with other settings, as papermill does. Returns cell id -> printed text."""

    def run(name: str, **settings) -> dict[str, str]:
        notebook = read(name)
        text = "\n".join(f"{key} = {value!r}" for key, value in settings.items())
        notebook.cells.insert(place_of(notebook, "parameters") + 1, nbformat.v4.new_code_cell(text))
        monkeypatch.setenv("PYTHONPATH", str(ROOT))
        monkeypatch.setenv("JAX_NUM_CPU_DEVICES", "2")
        monkeypatch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")  # compiling is most of the time
        resources = {"metadata": {"path": str(tmp_path)}}
        nbclient.NotebookClient(notebook, timeout=CELL_SECONDS, kernel_name="python3", resources=resources).execute()
        cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
        return {cell.id: "".join(output.get("text", "") for output in cell.outputs) for cell in cells}

    return run


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_valid_and_has_small_cells_and_no_outputs(name):
    notebook = read(name)
    nbformat.validate(notebook)
    assert "parameters" in notebook.cells[place_of(notebook, "parameters")].metadata.tags
    for cell in notebook.cells:
        assert len(cell.source.splitlines()) <= CELL_LINES
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_caches_compiled_functions_before_the_first_is_compiled(name):
    code = "\n".join(cell.source for cell in read(name).cells if cell.cell_type == "code")
    first_use = min(code.index(use) for use in ("DataParallel()", "stavis_jax.load(") if use in code)
    assert 0 < code.index("\nenable_compilation_cache()") < first_use


@pytest.mark.slow
def test_the_training_notebook_trains_on_all_devices_and_scores(run, tmp_path):
    printed = run("colab_tpu_train", SETTINGS=SMALL_TRAINING)
    assert printed["devices"].startswith("2 devices")
    assert "visual: 1 epochs, 2 clips a batch, 1 a device" in printed["settings"]
    assert "devices" not in printed["train"]  # printed only if it uses fewer than there are
    workdir = tmp_path / "runs" / "colab"
    methods = json.loads((workdir / "results.json").read_text())["methods"]
    assert methods.keys() == {"center-bias", "visual", "l3mul-s3"}
    assert math.isfinite(methods["center-bias"]["CC"])
    assert {"report.html", "comparison.png"} <= {path.name for path in workdir.iterdir()}
    assert (tmp_path / "colab-weights.zip").is_file()


@pytest.mark.slow
def test_the_prediction_notebook_makes_a_map_of_every_frame_and_the_film(run, tmp_path):
    printed = run("predict_your_video", MADE_UP_FRAMES=NUM_FRAMES)
    assert "starter: the package's own small network predicts" in printed["command"]
    folder = tmp_path / "predictions" / "made_up"
    maps = sorted((folder / "maps").iterdir())
    assert [path.name for path in maps] == [f"{number:06d}.png" for number in range(1, NUM_FRAMES + 1)]
    with Image.open(maps[0]) as picture:
        assert picture.size == (320, 240)
    assert len((folder / "track.csv").read_text().splitlines()) == 1 + NUM_FRAMES
    with av.open(folder / "overlay.mp4") as overlay:
        assert sum(1 for _ in overlay.decode(video=0)) == NUM_FRAMES
