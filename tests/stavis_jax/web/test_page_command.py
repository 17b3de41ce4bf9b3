import importlib.util
import logging
import socket

import pytest

from data_pipelines.runtime.errors import UserError
from stavis_jax import demo
from stavis_jax.web import server
from stavis_jax.web.networks import Networks, describe


@pytest.fixture
def with_gradio(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)


def test_without_gradio_one_line_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r"^error: .*pip install -e '\.\[demo\]'$"):
        demo.main(["--checkpoint", "none.pth"])


def test_a_checkpoint_that_is_not_there_is_named_before_the_page_opens(with_gradio):
    with pytest.raises(SystemExit, match=r"^error: none\.pth: no such file"):
        demo.main(["--checkpoint", "none.pth"])


@pytest.mark.parametrize(
    ("host", "warned"), [("127.0.0.1", False), ("localhost", False), ("0.0.0.0", True), ("my-computer", True)]
)
def test_only_an_address_that_others_reach_is_warned_of(host, warned, with_gradio, monkeypatch, caplog):
    served = {}
    monkeypatch.setattr(server, "serve", lambda networks, **how: served.update(how))
    monkeypatch.setattr("stavis_jax.web.networks.Networks", lambda checkpoints, dtype: None)
    with caplog.at_level(logging.WARNING):
        demo.main(["--checkpoint", "any", "--host", host, "--port", "80"])
    assert (served["host"], served["port"]) == (host, 80)
    assert ["password" in record.message for record in caplog.records] == [True] * warned


def test_without_a_checkpoint_the_page_offers_the_starter_and_says_so(with_gradio, monkeypatch, capsys):
    offered = {}
    monkeypatch.setattr(server, "serve", lambda networks, **how: offered.update(networks.variants))
    demo.main([])
    assert offered == {"starter": ["visual"]}
    assert "starter: the package's own small network predicts" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("localhost", "localhost"),
        ("127.0.0.2", "127.0.0.2"),
        ("::1", "[::1]"),
        ("0:0:0:0:0:0:0:1", "[::1]"),
    ],
)
def test_at_an_address_of_this_machine_alone_the_page_answers_to_its_own_names_only(host, own):
    assert server.in_address(host) == own
    assert set(server.names_served(host)) == {own, "127.0.0.1", "localhost"}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "my-computer"])
def test_where_others_reach_it_the_page_answers_to_any_name(host):
    assert server.names_served(host) == ["*"]


@pytest.mark.parametrize("flags", [["--port", "0"], ["--port", "65536"], ["--max-megabytes", "0"]])
def test_numbers_out_of_range_are_refused(flags):
    with pytest.raises(SystemExit, match=f"^error: {flags[0]}: expected a .*, found '{flags[1]}'"):
        demo.main(["--checkpoint", "any", *flags])


def test_a_port_in_use_is_named(with_gradio):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"--port {port}: is not available"):
            server.serve(None, host="127.0.0.1", port=port, max_megabytes=1, output=None)


def test_a_checkpoint_offers_its_own_variant_and_the_picture_alone(tiny_checkpoint):
    networks = Networks([tiny_checkpoint])
    assert networks.variants == {"tiny": ["l3mul-s3", "visual"]}
    assert [describe(name) for name in networks.variants["tiny"]] == [
        "l3mul-s3: picture and sound",
        "visual: picture alone",
    ]
    assert networks.load("tiny", "visual").variant == "visual"
    assert Networks([tiny_checkpoint], "bfloat16").load("tiny", "visual").dtype == "bfloat16"
    with pytest.raises(UserError, match="is not offered"):
        networks.load("tiny", "l1-s1")


def test_a_working_directory_offers_what_was_trained_in_it(tiny_checkpoint, tmp_path):
    (tmp_path / "run" / "l3mul-s3").mkdir(parents=True)
    (tmp_path / "run" / "l3mul-s3" / "last").symlink_to(tiny_checkpoint)
    assert Networks([tmp_path / "run"]).variants == {"run": ["l3mul-s3"]}


def test_an_output_that_cannot_be_written_is_named(with_gradio, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setattr("stavis_jax.web.networks.Networks", lambda checkpoints, dtype: None)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(SystemExit, match=r"^error: .*/file/results: Not a directory\. Give a folder"):
        demo.main(["--checkpoint", "any", "--port", str(port), "--output", str(tmp_path / "file" / "results")])
