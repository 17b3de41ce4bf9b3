"""Makes training data for the starter network: scenes from real pictures, labelled by the teacher.

  python -m tools.starter.make_data --data RAW --teacher teacher.npz --output RAW

Writes the database MadePictures, which holds stills, into RAW. With --films, also writes MadeFilms, which holds films
of 16 frames in which the camera and parts of the picture move. Both have training films only. Needs torch and the
packages that tools/starter/backbone.py names. One CPU core labels about two pictures a second.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from PIL import Image

from data_pipelines.raw.film_writer import FilmWriter
from data_pipelines.raw.layout import RawLayout
from data_pipelines.raw.list_files import ListedFilm
from data_pipelines.raw.list_writer import write_lists
from data_pipelines.raw.transaction import new_database
from data_pipelines.runtime.command import command
from tools.starter.backbone import Backbone
from tools.starter.labelled import FRAME, POINTS, Labelled, Pictures, labelled_scenes, points_of
from tools.starter.raw_pictures import REAL, read_pictures
from tools.starter.teacher import Teacher, load_readout

STILLS, FILMS = "MadePictures", "MadeFilms"
FILMS_FROM_SEED = 1000  # so that films are of other scenes than the stills
FPS = 25.0


@command
def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="RAW", help="raw data folder with the pictures")
    databases = f"databases with real gaze (default: {' '.join(REAL)})"
    parser.add_argument("--databases", nargs="+", default=REAL, metavar="NAME", help=databases)
    parser.add_argument(
        "--teacher", type=Path, required=True, metavar="FILE", help="file of tools.starter.train_teacher"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="RAW", help="raw data folder to write into")
    parser.add_argument("--pictures", type=int, default=8_000, help="number of stills (default: 8000)")
    parser.add_argument("--films", type=int, default=0, help="number of films (default: none)")
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers (default: 0)")
    options = parser.parse_args(argv)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    teacher = Teacher(Backbone(), load_readout(options.teacher)).to(device).eval()
    pictures = read_pictures(options.data, options.databases, "train").to(device)
    torch.manual_seed(options.seed)
    for database, number, moving in ((STILLS, options.pictures, False), (FILMS, options.films, True)):
        if number:
            write_database(options.output, database, pictures, teacher, number, options.seed, moving)


def write_database(
    raw: Path, database: str, pictures: Pictures, teacher: Teacher, number: int, seed: int, moving: bool
) -> None:
    """Writes scenes as a database in the raw layout. Replaces a database of the same name when all are written."""
    seed += FILMS_FROM_SEED * moving
    with new_database(raw, database, overwrite=True) as layout:
        films = []
        for labelled in labelled_scenes(pictures, teacher, number, seed=seed, moving=moving):
            films += list(_write(layout, database, labelled, len(films) + 1))
        write_lists(layout.root / "fold_lists", films, tests=())


def _write(layout: RawLayout, database: str, labelled: Labelled, first: int) -> Iterator[ListedFilm]:
    """Writes a batch of scenes. Gives all frames of a film the maps of its target frame, since no others are read."""
    densities = F.interpolate(labelled.densities[:, None], FRAME, mode="bicubic")[:, 0].clamp(min=0)
    levels = (255 * densities / densities.amax((1, 2), keepdim=True)).round().byte().cpu().numpy()
    places = points_of(labelled.densities, POINTS).cpu().numpy() * FRAME
    points = np.minimum(places.astype(int), np.array(FRAME) - 1)[..., ::-1]  # (x, y)
    frames = labelled.frames.permute(0, 1, 3, 4, 2).cpu().numpy()
    for scene in range(len(frames)):
        writer = FilmWriter(layout, database, f"{first + scene:06d}")
        for number, frame in enumerate(frames[scene], start=1):
            writer.write_frame(number, Image.fromarray(frame))
            writer.write_given_maps(number, levels[scene], points[scene], FRAME[::-1])
        yield ListedFilm(database, writer.name, len(frames[scene]), FPS)


if __name__ == "__main__":
    main()
