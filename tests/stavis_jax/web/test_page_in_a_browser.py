"""Serves the page and uses it in headless Chromium. Neither may connect to another machine."""

import csv
import importlib.util
import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
HAS_DRIVER = importlib.util.find_spec("playwright") is not None
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        BROWSER is None or not HAS_DRIVER,
        reason="needs Chromium, as in: apt-get install chromium, and playwright, as in: pip install -e '.[test]'",
    ),
]

SLOW_MS = 120_000  # a machine may be busy
# What Python imports first: notes down every address that the server's process looks up or connects to.
LISTENER = """import os, sys

def note(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo"):
        where = arguments[1] if event == "socket.connect" else arguments
        with open(os.environ["ADDRESSES"], "a") as file:
            print(where[0] if isinstance(where, tuple) else "local", file=file)

sys.addaudithook(note)
"""
# Plays the film in the page and says what became of it.
PLAY = """async () => {
  const video = document.querySelector("#overlay video");
  await video.play();
  while (video.currentTime < 0.3) await new Promise((resolve) => setTimeout(resolve, 50));
  return {
    ready: video.readyState, width: video.videoWidth, seconds: video.duration, sound: video.webkitAudioDecodedByteCount
  };
}"""


class Served:
    """The command, running. `temporary`: where it makes its own folder; `here`: where it was started."""

    def __init__(self, checkpoint: Path, folder: Path):
        self.temporary, self.here, self.addresses = (folder / name for name in ("temporary", "here", "addresses"))
        for path in (self.temporary, self.here, folder / "listener"):
            path.mkdir()
        (folder / "listener" / "sitecustomize.py").write_text(LISTENER)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        root = Path(__file__).parents[3]
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(folder / "listener"), str(root), os.environ.get("PYTHONPATH", "")]),
            "ADDRESSES": str(self.addresses),
            "TMPDIR": str(self.temporary),
            "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
        }
        command = [sys.executable, "-m", "stavis_jax.demo", "--port", str(port), "--max-megabytes", "1"]
        command += ["--checkpoint", str(checkpoint)]
        with (folder / "stderr").open("w") as stderr:
            self.process = subprocess.Popen(
                command, env=environment, cwd=self.here, stdout=subprocess.PIPE, stderr=stderr, text=True
            )
        said = self.process.stdout.readline()
        self.url = f"http://127.0.0.1:{port}/"
        assert self.url in said, (folder / "stderr").read_text()

    def status_of(self, **headers: str) -> int:
        try:
            return urllib.request.urlopen(urllib.request.Request(self.url, headers=headers)).status
        except urllib.error.HTTPError as error:
            return error.code


@pytest.fixture(scope="module")
def served(tiny_checkpoint, tmp_path_factory):
    served = Served(tiny_checkpoint, tmp_path_factory.mktemp("served"))
    yield served
    served.process.kill()
    served.process.wait()
    served.process.stdout.close()


@pytest.fixture(scope="module")
def page(served):
    """A tab in the browser that shows the page; `requested`: what it asked for."""
    from playwright.sync_api import sync_playwright

    flags = [
        "--no-sandbox",
        "--autoplay-policy=no-user-gesture-required",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ]
    with sync_playwright() as driver, driver.chromium.launch(executable_path=BROWSER, args=flags) as browser:
        tab = browser.new_page(viewport={"width": 1280, "height": 1000})
        tab.set_default_timeout(SLOW_MS)
        tab.requested = []
        tab.on("request", lambda request: tab.requested.append(request.url))
        tab.goto(served.url)
        yield tab


def drop(page, file) -> None:
    for button in page.locator("#film button[aria-label='Clear']").all():
        button.click()
    page.locator("#film input[type=file]").set_input_files(file)


def predict(page, file) -> str:
    """Drops a file, presses the button and returns the line that is shown when it is done."""
    drop(page, file)
    page.locator("#film a[download]").wait_for()
    page.locator("#status p").wait_for(state="detached")  # that of the file before
    page.locator("#predict").click()
    line = page.locator("#status p").filter(has_not_text="Predicting")
    line.wait_for()
    return line.inner_text()


def test_a_file_that_is_no_film_gets_one_line_and_the_page_stays_up(page):
    line = predict(page, {"name": "notes<b>.txt", "mimeType": "text/plain", "buffer": b"milk, bread"})
    assert line.startswith("notes") and "/" not in line and "Traceback" not in line
    assert page.locator("#status .error").count() == 1 and page.locator("#overlay video").count() == 0


def test_a_film_gets_an_overlay_that_plays_with_sound_plots_and_files(page, film):
    line = predict(page, film)
    assert line.startswith("holiday.mp4: 30 frames") and page.locator("#status .error").count() == 0
    page.locator("#overlay video").wait_for()
    played = page.evaluate(PLAY)
    assert played["ready"] >= 2 and played["sound"] > 0
    assert played["width"] >= 2 * 96  # beside the saliency, where the sound is
    assert played["seconds"] == pytest.approx(1.2, abs=0.1)  # AAC comes in frames of 46 ms
    for plot in ("#gaze", "#entropy"):
        drawn = page.locator(plot).locator("canvas, svg.marks").first
        drawn.wait_for()
        assert drawn.bounding_box()["width"] > 400 and drawn.bounding_box()["height"] > 80
    with page.expect_download() as download:
        page.locator("#track-file").click()
    assert download.value.suggested_filename == "track.csv"
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text())))
    assert [int(row["frame"]) for row in rows] == list(range(1, 31))


def test_a_file_that_is_too_big_is_not_taken(page):
    drop(page, {"name": "long.mp4", "mimeType": "video/mp4", "buffer": bytes(2 * 2**20)})
    page.get_by_text("maximum allowed size").first.wait_for()


def test_nothing_beyond_this_machine_is_asked_for(served, page):
    assert len(page.requested) > 10
    beyond = [url for url in page.requested if not url.startswith((served.url, "data:", f"blob:{served.url}"))]
    assert beyond == []
    addresses = set(served.addresses.read_text().split())
    assert addresses and addresses <= {"127.0.0.1", "localhost", "local"}


def test_another_sites_name_for_this_machine_is_not_served(served):
    assert served.status_of() == 200
    assert served.status_of(Host="evil.example") == 400


def test_it_ends_and_leaves_nothing_behind(served):
    assert len(list(served.temporary.iterdir())) == 1
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(60) == 143
    assert list(served.temporary.iterdir()) == [] and list(served.here.iterdir()) == []
