"""Files that trackers' programs write beside the gaze, without gaze on a film. In a folder they are passed over."""

import logging
import re
from pathlib import Path

from data_pipelines.ingestion.delimited_text import titles_in
from data_pipelines.ingestion.gaze_formats.recording import Recording

_PUPIL_LABS = ("section id", "recording id", "world_index", "world_timestamp", "timestamp [ns]", "start timestamp [ns]")
_KINDS = (  # name without suffix -> titles of which the header has one; other files of this name are tables of gaze
    (
        r"gaze|fixations|gaze_positions|pupil_positions|blinks|saccades|events|imu|(3d_)?eye_states|face_\w+",
        _PUPIL_LABS,
    ),
    (r"sections|aoi_\w+|world_timestamps|marker_detections|surf_positions.*|head_pose.*", (*_PUPIL_LABS, "timestamps")),
    (
        r"annotations|surface_(events|visibility|gaze_distribution|positions)",
        ("index", "world_index", "surface_name", "frame_count", *_PUPIL_LABS),
    ),
    (r"info|export_info", ("key",)),
    (r"enrichment_info", ()),
    (r"read_?me|licen[cs]e|changes|changelog|citation", ()),
    (r"data_summary.*", ("gazepoint analysis",)),
    (r"participants|sub-.*_(events|channels|scans)", ("participant_id", "onset", "name", "filename")),
    (r"sub-.*_physio(events)?(\.tsv)?", ()),
    (r"sub-.*_(electrodes|optodes)", ("name",)),
)
_SCENE = {"gaze x [px]", "fixation x [px]", "norm_pos_x"}
_log = logging.getLogger(__name__)


def looks_like(path: Path, head: bytes) -> bool:
    header = titles_in(head)
    is_gaze = {"x", "y"} <= header and "z" not in header
    return not is_gaze and any(
        re.fullmatch(name, path.stem, re.IGNORECASE) and (not titles or header & set(titles)) for name, titles in _KINDS
    )


def read(path: Path, film: str) -> Recording:
    with path.open("rb") as file:
        if _SCENE & titles_in(file.readline()):
            _log.warning("%s: gaze in the scene camera's picture is left out. Export the gaze on a surface.", path)
    return Recording()
