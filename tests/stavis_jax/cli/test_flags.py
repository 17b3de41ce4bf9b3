from absl import flags

from stavis_jax.cli.flags import _absl_syntax, _last_line, define_list


def test_a_value_may_begin_with_the_home_folder(monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    given = ["main", "--config=~/own.py", "--workdir=~/run", "--config.data.path=~/shards", "--config.seed=1"]
    assert _absl_syntax(given) == [
        *("main", "--config=/home/somebody/own.py", "--workdir=/home/somebody/run"),
        *("--config.data.path=/home/somebody/shards", "--config.seed=1"),
    ]


def test_the_help_of_a_list_does_not_demand_that_the_flag_is_repeated():
    define_list("letters_of_a_test", "Letters, such as a b.")
    assert flags.FLAGS["letters_of_a_test"].help == "Letters, such as a b."


def test_a_missing_configuration_is_named_without_the_systems_number():
    error = OSError("Failed loading\n  Attempted [Relative path]:\n      [Errno 2] No such file or directory: 'own.py'")
    assert _last_line(error) == "No such file or directory: 'own.py'"
