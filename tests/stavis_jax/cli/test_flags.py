from stavis_jax.cli.flags import _absl_syntax


def test_a_value_may_begin_with_the_home_folder(monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    given = ["main", "--config=~/own.py", "--workdir=~/run", "--config.data.path=~/shards", "--config.seed=1"]
    assert _absl_syntax(given) == [
        *("main", "--config=/home/somebody/own.py", "--workdir=/home/somebody/run"),
        *("--config.data.path=/home/somebody/shards", "--config.seed=1"),
    ]
