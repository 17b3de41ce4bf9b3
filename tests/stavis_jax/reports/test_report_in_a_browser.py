"""Opens a report in headless Chromium, without a network, and asks the browser what it shows."""

import html
import json
import re
import shutil
import subprocess

import pytest

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(
    BROWSER is None, reason="needs Chromium or Chrome, as in: apt-get install chromium. The report itself needs neither"
)

# Runs in the page; what it finds is sent to the page around it.
PROBE = """<script>
const errors = [];
addEventListener("error", (event) => errors.push(event.message));
addEventListener("securitypolicyviolation", (event) => errors.push("blocked: " + event.blockedURI));
addEventListener("load", () => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const frame = document.querySelector(".over-time .frame").getBoundingClientRect();
  const videos = document.querySelector("table.sortable");
  const column = () => [...videos.tBodies[0].rows].map((row) => row.cells[5].dataset.value);
  const button = videos.tHead.rows[0].cells[5].querySelector("button");
  const sorted = [0, 1].map(() => (button.click(), column()));
  const result = {
    title: document.title,
    errors,
    fetched: performance.getEntriesByType("resource").map((entry) => entry.name),
    images: all("img").map((image) => [image.naturalWidth, image.getBoundingClientRect().width]),
    tables: all("table").map((table) => [table.rows.length, table.getBoundingClientRect().height]),
    lines: all(".over-time path.line").map((path) => [path.getTotalLength(), getComputedStyle(path).stroke]),
    panel: [frame.width, frame.height],
    panels: all(".over-time:first-of-type svg").map((svg) => svg.getBoundingClientRect().top),
    width: [document.documentElement.scrollWidth, innerWidth],
    colours: ["color", "backgroundColor"].map((name) => getComputedStyle(document.body)[name]),
    sorted,
  };
  parent.postMessage(JSON.stringify(result), "*");
});
</script>"""

# A window cannot be as narrow as a phone, a frame in it can. What the probe finds becomes text that is read back.
AROUND = """<!DOCTYPE html><meta name="color-scheme" content="light dark"><pre></pre><script>
addEventListener("message", (event) => { document.querySelector("pre").textContent = event.data; });
</script><iframe src="report.html" width="{width}" height="900" style="border: 0"></iframe>"""


@pytest.fixture(scope="module")
def look(report, tmp_path_factory):
    """Opens the page in a window of a width; returns what the probe finds."""
    folder = tmp_path_factory.mktemp("browser")
    text = report.read_text(encoding="utf-8")
    (folder / "report.html").write_text(text.replace("<title>", PROBE + "<title>", 1), encoding="utf-8")
    around = folder / "around.html"

    def open_page(width: int, *flags: str) -> dict:
        around.write_text(AROUND.replace("{width}", str(width)), encoding="utf-8")
        done = subprocess.run(
            [
                BROWSER,
                "--headless",
                "--no-sandbox",  # for root, as in a container
                "--disable-gpu",
                "--virtual-time-budget=5000",  # until what is sent has arrived
                f"--user-data-dir={folder / 'profile'}",
                "--host-resolver-rules=MAP * ~NOTFOUND",
                "--window-size=1400,1000",
                *flags,
                "--dump-dom",
                around.as_uri(),
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        found = re.search(r"<pre>(.+?)</pre>", done.stdout, re.DOTALL)
        assert found, done.stderr[-2000:]
        return json.loads(html.unescape(found[1]))

    return open_page


@pytest.fixture(scope="module")
def desktop(look):
    return look(1280)


def test_nothing_is_fetched_and_nothing_goes_wrong(desktop, names):
    assert desktop["fetched"] == [] and desktop["errors"] == []
    assert desktop["title"] == f"Scores of {names.method}"  # no script of a film's name has run


def test_pictures_tables_and_plots_are_really_there(desktop):
    assert len(desktop["images"]) >= 16 and all(natural == 320 and shown > 100 for natural, shown in desktop["images"])
    # Scored; Table 5; two databases and their mean; comparison; videos.
    assert len(desktop["tables"]) == 7 and all(rows >= 3 and height > 60 for rows, height in desktop["tables"])
    assert desktop["panel"][0] > 100 and desktop["panel"][1] > 40
    assert len(desktop["lines"]) == 5 * 5 * 2
    drawn = [length > 50 and colour != "none" for length, colour in desktop["lines"]]
    assert drawn.count(False) == 2  # a metric without a value in one video, two methods


def test_a_heading_sorts_its_column_best_first_and_the_other_way_round(desktop):
    first, second = ([float(value) for value in column] for column in desktop["sorted"])
    assert first == sorted(first, reverse=True) and second == sorted(second) and len(set(first)) > 5


def test_it_fits_a_phone_and_is_dark_where_the_reader_wants_it(look, desktop):
    phone = look(390, "--blink-settings=preferredColorScheme=0")
    assert phone["width"][0] <= phone["width"][1] == 390
    assert desktop["width"][0] <= desktop["width"][1] == 1280
    assert len(set(phone["panels"][:5])) == 3 and len(set(desktop["panels"][:5])) == 1  # rows of plots of a video

    def lightness(colour: str) -> int:
        return sum(map(int, re.findall(r"\d+", colour)))

    assert lightness(phone["colours"][0]) > 500 > 150 > lightness(phone["colours"][1])
    assert lightness(desktop["colours"][0]) < 150 < 500 < lightness(desktop["colours"][1])
