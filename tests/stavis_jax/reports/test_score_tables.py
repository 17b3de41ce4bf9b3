import numpy as np

from stavis_jax.reports.score_tables import scored_table
from stavis_jax.scoring.aggregation import VideoScores
from stavis_jax.scoring.score_warnings import WITHOUT_GAZE


def test_frames_with_an_empty_density_map_count_as_without_gaze():
    frames = np.arange(9, 15)
    video = VideoScores("DIEM", 1, "one", frames, {"CC": np.ones(6)}, 2, 1, {WITHOUT_GAZE: 4})
    (row,) = scored_table([video]).rows
    assert [cell.value for cell in row.cells][-3:] == [6, 2, 5]
