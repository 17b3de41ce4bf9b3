import csv
import json

import numpy as np
from made_plans import plan_of_places

from stavis_jax.reframing.path_files import path_rows, write_csv, write_json

MADE = plan_of_places(np.linspace(3, 40, 10), [(0, 6, False), (6, 10, True)])


def test_rows_are_in_pixels_of_the_film_and_padded_ones_show_all_of_it():
    rows = list(path_rows(MADE))
    assert [row.frame for row in rows] == list(range(1, 11))
    assert (rows[0].x, rows[0].y, rows[0].width, rows[0].height, rows[0].shot, rows[0].padded) == (3, 0, 50, 90, 1, 0)
    assert (rows[9].x, rows[9].y, rows[9].width, rows[9].height, rows[9].shot, rows[9].padded) == (0, 0, 160, 90, 2, 1)
    assert rows[5].seconds == 0.2


def test_both_files_hold_the_same_path(tmp_path):
    write_csv(tmp_path / "path.csv", MADE)
    write_json(tmp_path / "path.json", MADE)
    with (tmp_path / "path.csv").open() as file:
        table = list(csv.DictReader(file))
    content = json.loads((tmp_path / "path.json").read_text())
    assert content["columns"] == list(table[0])
    assert content["frames"] == [[float(value) for value in row.values()] for row in table]
    assert (content["ratio"], content["size"], content["film_size"]) == ("9:16", [50, 90], [160, 90])
    assert [(shot["first_frame"], shot["last_frame"], shot["padded"]) for shot in content["shots"]] == [
        (1, 6, False),
        (7, 10, True),
    ]
    assert content["shots"][0]["kept_by_crop"] == 0.75 and content["shots"][0]["kept_by_center_crop"] == 0.5
