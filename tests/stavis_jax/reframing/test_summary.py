from made_plans import plan_of_places

from stavis_jax.reframing.summary import MOST_ROWS, summary


def test_table_has_a_row_for_each_shot_and_one_for_the_film():
    title, header, first, second, film = summary(plan_of_places([1.0] * 50, [(0, 30, False), (30, 50, True)]))
    assert "9:16, 50x90 pixels" in title and header.split() == ["shot", "from", "to", "kept", "centre"]
    assert first.split() == ["1", "0:00.0", "0:01.2", "75.0%", "50.0%"]
    assert second.split() == ["2", "0:01.2", "0:02.0", "75.0%", "50.0%", "padded:", "blur"]
    assert film.split() == ["film", "0:00.0", "0:02.0", "75.0%", "50.0%"]


def test_a_film_of_many_shots_has_a_short_table():
    lines = list(summary(plan_of_places([1.0] * 100, [(index, index + 1, False) for index in range(100)])))
    assert len(lines) == MOST_ROWS + 4 and "80 more in 9x16.json" in lines[-2]
