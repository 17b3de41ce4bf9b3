"""Short films of many kinds: whole, damaged, of odd sizes and times, and files that are no films."""

from pathlib import Path

import av
import numpy as np
from PIL import Image

from data_pipelines.synthetic.film_file import write_film_file
from data_pipelines.synthetic.plan import film_plan

CONTAINERS = (".mkv", ".flv", ".ts", ".mov")
FRAMES = 20


def write_odd_films(folder: Path) -> list[Path]:
    """Writes films of FRAMES frames into a new folder, and returns their paths."""
    folder.mkdir(parents=True)
    good = folder / "wide.mp4"
    write_film_file(film_plan(0, 1, num_frames=FRAMES, frame_size=(160, 90)), good)
    write_film_file(film_plan(0, 2, num_frames=FRAMES, frame_size=(112, 144)), folder / "tall.mp4")
    write_film_file(film_plan(0, 3, num_frames=2, frame_size=(64, 48)), folder / "two_frames.mp4")
    for suffix in CONTAINERS:
        _copy_streams(good, folder / f"same{suffix}")
    _copy_streams(good, folder / "unsteady.mkv", unsteady=True)
    _copy_streams(good, folder / "silent.mkv", sound=False)
    content = good.read_bytes()
    (folder / "without_index.mp4").write_bytes(content[: len(content) // 2])
    (folder / "cut.mkv").write_bytes(_part(folder / "same.mkv", 0.5))
    (folder / "spoiled.mkv").write_bytes(_spoiled((folder / "same.mkv").read_bytes()))
    (folder / "spoiled.ts").write_bytes(_spoiled((folder / "same.ts").read_bytes()))
    (folder / "text.mp4").write_text("not a film\n")
    (folder / "empty.mp4").write_bytes(b"")
    pictures = [Image.fromarray(picture) for picture in _noise(FRAMES, 47, 65)]
    pictures[0].save(folder / "moving.gif", save_all=True, append_images=pictures[1:], duration=40)
    pictures[0].save(folder / "still.png")
    (folder / "pictures").mkdir()
    for number, picture in enumerate(pictures, start=1):
        picture.save(folder / "pictures" / f"{number:03d}.jpg")
    return sorted(folder.iterdir())


def _copy_streams(source: Path, target: Path, *, sound: bool = True, unsteady: bool = False) -> None:
    """Copies a film into another container without encoding it again. `unsteady`: every third frame is late."""
    with av.open(str(source)) as film, av.open(str(target), "w") as copy:
        streams = {
            stream.index: copy.add_stream_from_template(stream)
            for stream in film.streams
            if sound or stream.type == "video"
        }
        for number, packet in enumerate(film.demux()):
            if packet.dts is None or packet.stream_index not in streams:
                continue
            if unsteady and packet.stream.type == "video" and packet.pts is not None and number % 3 == 0:
                packet.pts += (packet.duration or 0) // 3
            packet.stream = streams[packet.stream_index]
            copy.mux(packet)


def _part(path: Path, share: float) -> bytes:
    content = path.read_bytes()
    return content[: int(share * len(content))]


def _spoiled(content: bytes) -> bytes:
    """Overwrites ten places behind the header."""
    spoiled, draw = bytearray(content), np.random.default_rng(0)
    for place in draw.integers(len(content) // 5, len(content) - 16, 10):
        spoiled[place : place + 16] = draw.bytes(16)
    return bytes(spoiled)


def _noise(num_frames: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (num_frames, height, width, 3), np.uint8)
