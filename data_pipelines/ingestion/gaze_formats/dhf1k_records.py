"""DHF1K's records, one text file for each observer and film: P01/P01_Trail001.txt, for the film 001.AVI.

Text of an SMI tracker, separated by tabs: time in microseconds, position on a screen of 1440x900 pixels whose width the
film fills, and the kind of eye movement. The film starts with the first sample. The database's own maps count samples
within fixations only, and so does this reader. Sources: the database's mapping program and public readers.
"""

import csv
import re
from pathlib import Path

import numpy as np

from data_pipelines.ingestion.gaze import Conventions
from data_pipelines.ingestion.gaze_formats.recording import Recording
from data_pipelines.ingestion.viewing_geometry import Viewing
from data_pipelines.runtime.errors import UserError

SIGMA = 12.74  # pixels, fitted to the published maps of 640x360
CONVENTIONS = Conventions(
    "DHF1K", "pixels", Viewing(screen=(1440, 900), sigma=SIGMA), "times from the first sample, within fixations"
)
COLUMNS = ("Time", "L POR X [px]", "L POR Y [px]", "L Event Info")
_NAME = re.compile(r"(P\d+)_Trail(\d+)")


def looks_like(path: Path, head: bytes) -> bool:
    titles = head.partition(b"\n")[0].decode("utf-8", "replace").strip("\ufeff\r\n").split("\t")
    return bool(_NAME.fullmatch(path.stem)) and set(COLUMNS) <= set(titles)


def read(path: Path, film: str) -> Recording:
    name = _NAME.fullmatch(path.stem)
    assert name, "looks_like has checked it"
    samples, start = [], None
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            time, x, y, event = (row.get(column) or "" for column in COLUMNS)
            try:
                sample = float(time), float(x), float(y)
            except ValueError:
                if row.get("Type", "SMP") == "SMP":  # other lines are messages
                    raise UserError(
                        f"{path}: {time!r}, {x!r}, {y!r} are not a time and a position. Correct or remove the line."
                    ) from None
                continue
            start = sample[0] if start is None else start
            if event.startswith("F"):
                samples.append(((sample[0] - start) / 1e6, 0.0, *sample[1:]))
    if start is None:
        raise UserError(f"{path}: has no samples. Fetch it again, or remove it.")
    recording = Recording()
    recording.add(name[2], np.array(samples).reshape(-1, 4), CONVENTIONS, np.zeros(len(samples), int), [name[1]])
    return recording
