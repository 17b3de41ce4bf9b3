"""The live command, with stand-ins for the network: its lines, its page and its end."""

import http.client
import os
import re
import signal
import threading
import time

import pytest
from live_streams import Marks, streaming, write_marked_stream
from made_models import Brightness

from stavis_jax import live
from stavis_jax.prediction.frame_stream import FRAMES_AFTER_TARGET
from stavis_jax.streaming import session, source

WAIT_SECONDS = 60
SPEED = r"\d+\.\d maps/s, latency \d+\.\d\d s \(95% below \d+\.\d\d s\), \d+% of \d+ frames dropped"


@pytest.fixture
def seeing(monkeypatch) -> Marks:
    model = Marks()
    monkeypatch.setattr("stavis_jax.prediction.model.load", lambda *a, **k: model)
    return model


def error(*arguments: object) -> str:
    with pytest.raises(SystemExit) as stopped:
        live.main([*map(str, arguments)])
    text = str(stopped.value)
    assert text.startswith("error: ") and "\n" not in text
    return text


def test_a_film_is_shown_to_its_end_with_lines_about_the_speed(seeing, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(session, "REPORT_SECONDS", 0.3)
    film = write_marked_stream(tmp_path / "film.ts", 40)
    live.main([str(film)])
    first, *recent, last = capsys.readouterr().out.splitlines()
    assert re.match(rf"{re.escape(str(film))}: the page is at http://127\.0\.0\.1:\d+/\. ", first)
    assert recent and all(re.fullmatch(rf"{re.escape(str(film))}: ({SPEED}|no map .*)", line) for line in recent)
    assert re.fullmatch(rf"{re.escape(str(film))}: in all {SPEED}", last)
    assert len(seeing.clips) > 1


@pytest.mark.slow
def test_it_ends_after_the_seconds_that_are_asked_for_and_serves_until_then(seeing, tmp_path, capsys, monkeypatch):
    film, seen = write_marked_stream(tmp_path / "film.ts", 500), []

    def fetch(place: str) -> None:
        while not seen:
            connection = http.client.HTTPConnection(place, timeout=WAIT_SECONDS)
            connection.request("GET", "/newest.jpg")
            answer = connection.getresponse()
            if answer.status == 200:
                seen.append(answer.read())
            connection.close()

    def look(line: str) -> None:
        if "the page is at" in line:
            threading.Thread(target=fetch, args=(re.search(r"http://([\d.:]+)/", line)[1],), daemon=True).start()

    monkeypatch.setattr(live, "one_line", lambda line: look(line) or line)
    began = time.monotonic()
    live.main([str(film), "--seconds", "3", "--lookahead", "0", "--view", "side-by-side"])
    assert 3 < time.monotonic() - began < WAIT_SECONDS
    assert seen and seen[0].startswith(b"\xff\xd8")
    assert " in all " in capsys.readouterr().out


def test_ctrl_c_ends_it_with_code_130_also_while_the_network_computes(seeing, tmp_path, capsys):
    film = write_marked_stream(tmp_path / "film.ts", 500)
    sent = []

    def interrupt() -> None:
        assert seeing.busy.wait(WAIT_SECONDS)
        seeing.free.clear()
        seeing.busy.clear()
        assert seeing.busy.wait(WAIT_SECONDS)
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(SystemExit) as stopped:
        live.main([str(film)])
    assert stopped.value.code == 130 and time.monotonic() - sent[0] < 2
    assert " in all " in capsys.readouterr().out
    seeing.free.set()


@pytest.mark.slow
def test_ctrl_c_ends_the_process_while_the_network_is_compiled(commands, tmp_path):
    running = commands.start("stavis_jax.live", write_marked_stream(tmp_path / "film.ts", 50))
    assert running.wait_until(lambda: "the page is at" in running.out.read_text())
    sent = time.monotonic()
    ended = running.kill(signal.SIGINT)
    assert time.monotonic() - sent < 20 and "Traceback" not in ended.err, ended
    assert ended.code == 130


def test_a_stream_that_is_gone_ends_in_one_line(seeing, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("stavis_jax.streaming.reader.LONGEST_WAIT_SECONDS", 0.05)
    content = write_marked_stream(tmp_path / "live.ts", 50).read_bytes()
    with streaming(content, num_parts=50, seconds_per_part=0.01) as server:
        watcher = threading.Thread(target=lambda: seeing.busy.wait(WAIT_SECONDS) and server.broken.set())
        watcher.start()
        said = error(server.url, "--retries", 2)
        watcher.join()
    assert f"{server.url}: broke off after 2 further tries" in said
    assert any("Trying again in 0.05 s, 1 of 2." in text for text in caplog.messages)


def test_faults_are_one_line(seeing, tmp_path, monkeypatch):
    film = write_marked_stream(tmp_path / "film.ts", 40)
    assert "none.mp4: no such device or file" in error(tmp_path / "none.mp4")
    assert "/dev/video99: no such device or file" in error("/dev/video99")
    assert "--lookahead 9: is out of range" in error(film, "--lookahead", 9)
    assert "--port 65536: is out of range" in error(film, "--port", 65536)
    assert "--seconds 0: is out of range" in error(film, "--seconds", 0)
    assert "--timeout nan: is out of range" in error(film, "--timeout", "nan")
    assert "expected NAME=VALUE" in error("http://127.0.0.1:9/", "--option", "size")
    assert "--opacity 2.0: is out of range" in error(film, "--opacity", 2)
    assert "Connection refused" in error("http://127.0.0.1:9/live.ts")
    monkeypatch.setattr("stavis_jax.prediction.model.load", lambda *a, **k: Brightness())
    assert "this network needs sound, and live prediction sees the picture only. Add --variant visual" in error(film)


def test_defaults_of_the_flags_are_those_of_the_library():
    assert (live.LOOKAHEAD_FRAMES, live.TIMEOUT_SECONDS) == (FRAMES_AFTER_TARGET, source.TIMEOUT_SECONDS)
    defaults = session.LiveOptions()
    assert (defaults.lookahead, defaults.retries) == (live.LOOKAHEAD_FRAMES, live.RETRIES)
