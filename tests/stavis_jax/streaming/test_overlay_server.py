"""The page: JPEGs that decode, viewers that do not wait for each other, and no one else's requests."""

import http.client
import io
import socket
import threading
import time
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from data_pipelines.runtime.errors import UserError
from stavis_jax.outputs.options import OutputOptions
from stavis_jax.streaming.newest_frames import LiveFrame
from stavis_jax.streaming.overlay_server import MOST_VIEWERS, serving
from stavis_jax.streaming.overlays import Overlays
from stavis_jax.streaming.predictor import LiveMap

WAIT_SECONDS = 60


def live_map(number: int, height: int = 90, width: int = 160) -> LiveMap:
    """Returns a map of a grey frame whose right half is salient."""
    saliency = np.zeros((16, 16), np.float32)
    saliency[:, 8:] = 1
    picture = np.full((height, width, 3), 60, np.uint8)
    return LiveMap(LiveFrame(number, 0.0, picture, picture), saliency, 0.1)


@pytest.fixture
def page():
    """Yields the overlays and the host and port of their page."""
    overlays = Overlays(OutputOptions())
    overlays.start()
    with serving(overlays, port=0) as address:
        yield overlays, urlsplit(address).netloc
        overlays.close()


def get(place: str, path: str, host: str | None = None) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection(place, timeout=WAIT_SECONDS)
    connection.request("GET", path, headers={"Host": host or place})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer, content


def parts_of(place: str, count: int, after_part=lambda number: None) -> list[tuple[int, bytes]]:
    """Returns the frame numbers and JPEGs of the next parts of the stream."""
    connection = http.client.HTTPConnection(place, timeout=WAIT_SECONDS)
    connection.request("GET", "/stream.mjpg")
    answer, parts = connection.getresponse(), []
    assert answer.headers["Content-Type"] == "multipart/x-mixed-replace; boundary=overlay"
    for number in range(count):
        assert answer.readline() == b"--overlay\r\n"
        headers = http.client.parse_headers(answer)
        parts.append((int(headers["X-Frame"]), answer.read(int(headers["Content-Length"]))))
        assert answer.readline() == b"\r\n"
        after_part(number)
    connection.close()
    return parts


def test_the_stream_shows_each_newest_map_over_its_frame(page):
    overlays, place = page
    overlays.publish(live_map(7))
    parts = parts_of(place, 3, after_part=lambda number: overlays.publish(live_map(10 * (number + 1))))
    assert [number for number, _ in parts] == [7, 10, 20]
    for _, jpeg in parts:
        picture = Image.open(io.BytesIO(jpeg))
        assert (picture.format, picture.size) == ("JPEG", (160, 90))
        pixels = np.asarray(picture).astype(int)
        assert np.abs(pixels[:, :40] - 60).max() < 12, "the left half is the frame"
        assert np.abs(pixels[:, 120:] - 60).max() > 100, "the right half is hot"


def test_the_page_shows_the_stream_and_loads_nothing_from_elsewhere(page):
    _, place = page
    answer, content = get(place, "/")
    assert b'<img src="/stream.mjpg"' in content and b"http" not in content
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_a_single_picture_is_the_newest(page):
    overlays, place = page
    for number in (1, 2):
        overlays.publish(live_map(number))
        answer, content = get(place, "/newest.jpg")
        assert answer.headers["X-Frame"] == str(number)
        assert Image.open(io.BytesIO(content)).size == (160, 90)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_browser_leaves_out_the_usual_port(page, host):
    assert get(page[1], "/", host=host)[0].status == 200


@pytest.mark.slow
def test_a_viewer_that_leaves_makes_room_while_there_is_no_map(page, monkeypatch):
    monkeypatch.setattr("stavis_jax.streaming.overlay_server.WAIT_SECONDS", 0.05)
    overlays, place = page
    host, _, port = place.partition(":")
    for _ in range(3):
        viewers = [socket.create_connection((host, int(port)), WAIT_SECONDS) for _ in range(MOST_VIEWERS)]
        for viewer in viewers:
            viewer.sendall(f"GET /stream.mjpg HTTP/1.1\r\nHost: {place}\r\n\r\n".encode())
            assert viewer.recv(12) == b"HTTP/1.0 200"
        assert get(place, "/newest.jpg")[0].status == 503
        for viewer in viewers:
            viewer.close()
        deadline = time.monotonic() + WAIT_SECONDS
        while overlays._num_watching:
            assert time.monotonic() < deadline, "viewers that left are watched for"
            time.sleep(0.01)


def test_a_fault_in_drawing_is_kept_for_the_main_thread():
    fault = ValueError("a bug")

    def draw(one, options):
        raise fault

    overlays = Overlays(OutputOptions(), draw=draw)
    overlays.start()
    with overlays.watching():
        overlays.publish(live_map(1))
        assert overlays.next(0, WAIT_SECONDS) is None
    assert overlays.error is fault


def test_a_viewer_that_takes_nothing_delays_no_other():
    overlays = Overlays(OutputOptions(), draw=lambda one, options: bytes(8_000_000))  # more than sockets hold
    overlays.start()
    with serving(overlays, port=0) as address, socket.socket() as stalled:
        host, port = urlsplit(address).hostname, urlsplit(address).port
        stalled.connect((host, port))
        stalled.sendall(f"GET /stream.mjpg HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
        assert stalled.recv(8).startswith(b"HTTP")  # it watches, and then reads no more
        overlays.publish(live_map(1))
        parts = parts_of(f"{host}:{port}", 3, after_part=lambda number: overlays.publish(live_map(2 + number)))
        overlays.close()
    assert [number for number, _ in parts] == [1, 2, 3]


def test_nothing_is_drawn_while_nobody_watches():
    drawn = []
    overlays = Overlays(OutputOptions(), draw=lambda one, options: drawn.append(one.frame.number) or b"jpeg")
    overlays.start()
    for number in (1, 2, 3):
        overlays.publish(live_map(number))
    assert overlays.next(0, timeout_seconds=0.2) is None and drawn == []
    with overlays.watching():
        assert overlays.next(0, WAIT_SECONDS).frame_number == 3
    assert drawn == [3]
    overlays.close()


def test_maps_that_come_while_one_is_drawn_are_skipped():
    drawing, go_on = threading.Event(), threading.Event()

    def draw(one, options):
        drawing.set()
        assert go_on.wait(WAIT_SECONDS)
        return b"%d" % one.frame.number

    overlays = Overlays(OutputOptions(), draw=draw)
    overlays.start()
    with overlays.watching():
        overlays.publish(live_map(1))
        assert drawing.wait(WAIT_SECONDS)
        for number in range(2, 9):
            overlays.publish(live_map(number))
        go_on.set()
        assert overlays.next(1, WAIT_SECONDS).jpeg == b"8"
    overlays.close()


def test_other_addresses_other_paths_and_too_many_viewers_are_refused(page, monkeypatch):
    _, place = page
    assert get(place, "/", host="evil.example")[0].status == 403
    assert get(place, "/", host=f"evil.example:{place.partition(':')[2]}")[0].status == 403
    assert get(place, "/etc/passwd")[0].status == 404
    monkeypatch.setattr("stavis_jax.streaming.overlay_server.PICTURE_SECONDS", 0.05)
    assert get(place, "/newest.jpg")[0].status == 503  # there is no map


def test_only_this_machine_is_served_and_a_taken_port_is_one_line(page):
    overlays, place = page
    host, _, port = place.partition(":")
    assert host == "127.0.0.1"
    with pytest.raises(UserError, match=f"--port {port}: is not available"), serving(overlays, int(port)):
        pass
