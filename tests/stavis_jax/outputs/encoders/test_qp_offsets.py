import numpy as np
import pytest

from stavis_jax.maps.attention import attention_mass
from stavis_jax.outputs.encoders.qp_offsets import HIGHEST, LOWEST, BlockGrid, qp_offsets, relative_bits
from stavis_jax.outputs.encoders.roi_boxes import MOST_BOXES, Stretch, filter_script, roi_boxes


def spots(*centres: tuple[float, float], sigma: float = 5) -> np.ndarray:
    """A map [112, 112] with Gaussians at (x, y) in pixels of the map."""
    rows, columns = np.mgrid[:112, :112]
    return attention_mass(sum(np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 2 / sigma**2) for x, y in centres))


def offsets_drawn_by(boxes, size) -> np.ndarray:
    """The offset of each pixel [height, width] if the first box of a pixel counts."""
    drawn = np.zeros(size[::-1])
    for box in reversed(boxes):
        drawn[box.y : box.y + box.height, box.x : box.x + box.width] = box.offset
    return drawn


def test_blocks_at_the_edge_are_smaller_and_all_attention_is_in_the_blocks():
    grid = BlockGrid((200, 100))
    assert grid.shape == (2, 4) and grid.area.sum() == pytest.approx(1)
    assert grid.area[1, 3] == pytest.approx(8 * 36 / 200 / 100)
    mass = attention_mass(np.random.default_rng(0).random((16, 16)))
    assert (grid.density(mass) * grid.area).sum() == pytest.approx(1)
    np.testing.assert_allclose(grid.density(np.full((16, 16), 1 / 256)), 1)


@pytest.mark.parametrize("step", [1, 2])
@pytest.mark.parametrize("size", [(112, 112), (1280, 720), (201, 97)])
def test_salient_blocks_get_finer_steps_and_the_others_pay_for_it(size, step):
    grid, mass = BlockGrid(size), spots((30, 30))
    offsets = qp_offsets(grid.density(mass), grid.area, step)
    assert offsets.min() >= LOWEST and offsets.max() <= HIGHEST and not (offsets % step).any()
    assert offsets.flat[grid.density(mass).argmax()] == offsets.min() < 0 < offsets.max()
    assert 0.6 < relative_bits(offsets, grid.area) <= 1 + 1e-9
    order = grid.density(mass).ravel().argsort()
    assert (np.diff(offsets.ravel()[order]) <= 0).all()


def test_bits_are_nearly_spent_where_there_are_many_blocks():
    grid = BlockGrid((1920, 1080))
    for step, least in ((1, 0.99), (2, 0.97)):
        offsets = qp_offsets(grid.density(spots((30, 30), (80, 60), sigma=9)), grid.area, step)
        assert least < relative_bits(offsets, grid.area) <= 1 + 1e-9
        assert abs((offsets * grid.area).sum()) < 2


def test_constant_map_changes_nothing():
    grid = BlockGrid((640, 360))
    assert not qp_offsets(grid.density(np.full((8, 8), 1 / 64)), grid.area).any()
    (box,) = roi_boxes(np.zeros(grid.shape, int), grid)
    assert box == (0, 0, 640, 360, 0.0)


def test_boxes_enclose_the_most_salient_places_first_and_come_close_to_the_blocks():
    grid = BlockGrid((1280, 720))
    offsets = qp_offsets(grid.density(spots((20, 30), (90, 80))), grid.area)
    boxes = roi_boxes(offsets, grid)
    assert 3 <= len(boxes) <= MOST_BOXES + 1 and boxes[-1][:4] == (0, 0, 1280, 720)
    for x, y in ((20, 30), (90, 80)):
        pixel = x / 112 * 1280, y / 112 * 720
        assert any(b.x <= pixel[0] < b.x + b.width and b.y <= pixel[1] < b.y + b.height for b in boxes[:2])
    drawn = offsets_drawn_by(boxes, (1280, 720))
    wanted = np.kron(offsets, np.ones((64, 64)))[:720, :1280]
    assert np.corrcoef(drawn.ravel(), wanted.ravel())[0, 1] > 0.8
    assert relative_bits(drawn, np.full(drawn.shape, 1 / drawn.size)) == pytest.approx(1, abs=0.01)


def test_script_names_the_first_frames_of_stretches_and_boxes_in_order_of_precedence():
    grid = BlockGrid((128, 64))
    boxes = roi_boxes(np.array([[-4, 2]]), grid)
    assert filter_script([Stretch(0, 0.5, boxes)]).startswith(
        "[0:v]addroi=0:0:64:64:qoffset=-40/510,addroi=0:0:128:64:qoffset="
    )
    lines = filter_script([Stretch(first, 0.5 + first / 25, boxes) for first in (0, 25, 50)]).splitlines()
    assert lines[0] == "[0:v]segment=frames=25|50[s0][s1][s2];" and lines[-2] == "[r0][r1][r2]concat=n=3[joined];"
    assert "eq(N,0)*0.500000+eq(N,25)*1.500000+eq(N,50)*2.500000" in lines[-1]
    assert len(lines) == 6
