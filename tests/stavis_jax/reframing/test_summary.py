from made_plans import plan_of_places

from stavis_jax.reframing.summary import MOST_ROWS, summary_table


def texts(table) -> list[list[str]]:
    """Returns the name and the printed cells of each row."""
    return [[row.name, *(cell.text for cell in cells)] for _, rows in table.bodies() for row, cells in rows]


def test_table_has_a_row_for_each_shot_and_one_for_the_film():
    table = summary_table(plan_of_places([1.0] * 50, [(0, 30, False), (30, 50, True)]))
    assert "9:16, 50x90 pixels" in table.title and table.notes == ()
    assert texts(table) == [
        ["1", "0:00.0", "0:01.2", "75.0%", "50.0%", ""],
        ["2", "0:01.2", "0:02.0", "75.0%", "50.0%", "blur"],
        ["film", "0:00.0", "0:02.0", "75.0%", "50.0%", ""],
    ]


def test_a_film_of_many_shots_has_a_short_table():
    table = summary_table(plan_of_places([1.0] * 100, [(index, index + 1, False) for index in range(100)]))
    assert len(table.rows) == MOST_ROWS + 1
    assert table.notes == ("80 more shots are in 9x16.json.",)
