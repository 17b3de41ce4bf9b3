"""Reads TensorBoard's files back, record by record."""

import io
import struct
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from tensorboardX.proto.event_pb2 import Event

from stavis_jax.models.stavis import Outputs
from stavis_jax.training.tensorboard import TensorBoard, clip_pictures

SIZE = 16


def events(folder: Path) -> list[Event]:
    """Returns all events. A record is a length (8 bytes), its checksum (4), the event and its checksum (4)."""
    found = []
    for file in sorted(folder.iterdir()):
        data, at = file.read_bytes(), 0
        while at < len(data):
            (length,) = struct.unpack_from("<Q", data, at)
            found.append(Event.FromString(data[at + 12 : at + 12 + length]))
            at += 16 + length
    return found


def shown(folder: Path) -> dict[str, dict[int, float]]:
    """Returns the curves that TensorBoard shows. A restart drops what earlier files have from its step on."""
    curves: dict[str, dict[int, float]] = {}
    for event in events(folder):
        if event.HasField("session_log") and event.session_log.status == event.session_log.START:
            curves = {tag: {s: v for s, v in c.items() if s < event.step} for tag, c in curves.items()}
        for value in event.summary.value:
            if value.HasField("simple_value"):
                curves.setdefault(value.tag, {})[event.step] = value.simple_value
    return curves


@pytest.fixture
def batch() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "clip": rng.integers(0, 256, (6, 4, SIZE, SIZE, 3), np.uint8),
        "density": rng.uniform(0, 255, (6, SIZE, SIZE)).astype(np.float32),
    }


def outputs(localization: bool) -> Outputs:
    logits = np.zeros((6, SIZE, SIZE), np.float32)
    logits[:, 3, 5] = 10.0
    attention = tuple(np.random.default_rng(i).random((6, s, s)).astype(np.float32) for i, s in enumerate((8, 4, 2, 1)))
    maps = np.zeros((6, 4, 4, 2), np.float32)
    maps[:, 0, 0] = 1.0
    return Outputs(jnp.asarray(logits), (), attention, maps if localization else None)


@pytest.mark.parametrize("localization", [True, False])
def test_a_row_shows_frame_density_prediction_attention_and_localisation(batch, localization):
    picture = clip_pictures(batch, outputs(localization), rows=3)
    columns = 8 if localization else 7
    assert picture.shape == (3 * SIZE, columns * SIZE, 3)
    assert picture.dtype == np.uint8
    cells = picture.reshape(3, SIZE, columns, SIZE, 3).swapaxes(1, 2)
    np.testing.assert_array_equal(cells[:, 0], batch["clip"][:3, 2])
    for i in range(3):
        assert np.argmax(cells[i, 1, ..., 0]) == np.argmax(batch["density"][i])
        assert np.unravel_index(np.argmax(cells[i, 2, ..., 0]), (SIZE, SIZE)) == (3, 5)
        if localization:
            assert cells[i, 7, 0, 0, 0] == 255 and cells[i, 7, -1, -1, 0] == 0
    assert (cells[:, 1:, ..., 0] == cells[:, 1:, ..., 2]).all()  # grey


def test_curves_and_the_picture_are_in_the_files(batch, tmp_path):
    with TensorBoard(tmp_path, 0) as board:
        board.scalars("training", {"loss": 2.5, "nss": -1.0}, 10)
        board.scalars("training", {"loss": 1.5, "nss": -2.0}, 20)
        board.pictures(batch, outputs(True), 20)
    assert shown(tmp_path) == {"training/loss": {10: 2.5, 20: 1.5}, "training/nss": {10: -1.0, 20: -2.0}}
    pictures = [v for event in events(tmp_path) for v in event.summary.value if v.HasField("image")]
    assert [value.tag for value in pictures] == ["validation/clips"]
    image = np.asarray(Image.open(io.BytesIO(pictures[0].image.encoded_image_string)))
    np.testing.assert_array_equal(image, clip_pictures(batch, outputs(True)))


def test_going_on_drops_what_came_after_the_checkpoint(tmp_path):
    with TensorBoard(tmp_path, 0) as board:
        for step in (10, 20, 30):
            board.scalars("training", {"loss": float(step)}, step)
    with TensorBoard(tmp_path, 20) as board:
        board.scalars("training", {"loss": -30.0}, 30)
    assert shown(tmp_path) == {"training/loss": {10: 10.0, 20: 20.0, 30: -30.0}}


def test_starting_over_drops_all(tmp_path):
    with TensorBoard(tmp_path, 0) as board:
        board.scalars("training", {"loss": 10.0}, 10)
    with TensorBoard(tmp_path, 0) as board:
        board.scalars("training", {"loss": 5.0}, 5)
    assert shown(tmp_path) == {"training/loss": {5: 5.0}}
