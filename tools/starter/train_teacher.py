"""Trains the teacher on the training pictures of databases of stills.

  python -m tools.starter.train_teacher --data RAW --output teacher.npz

Needs torch and the packages that tools/starter/backbone.py names. RAW is the folder that data_pipelines.ingest --stills
wrote. Scores the test pictures of each database once, at the end. Takes some minutes on two cores.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812

from data_pipelines.runtime.command import command
from tools.starter.backbone import Backbone
from tools.starter.labelled import Pictures
from tools.starter.raw_pictures import REAL, read_pictures
from tools.starter.teacher import Teacher, correlation, divergence, save_readout, train_readout

BATCH = 16


@command
def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="RAW", help="raw data folder")
    databases = f"databases with real gaze (default: {' '.join(REAL)})"
    parser.add_argument("--databases", nargs="+", default=REAL, metavar="NAME", help=databases)
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help=".npz file to write")
    parser.add_argument("--epochs", type=int, default=10, help="passes over the training pictures (default: 10)")
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers (default: 0)")
    options = parser.parse_args(argv)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    backbone = Backbone().to(device)
    pictures = read_pictures(options.data, options.databases, "train").to(device)
    features = features_of(backbone, pictures)
    targets = torch.cat([pictures.densities, pictures.densities.flip(2)])
    readout = train_readout(features, targets, epochs=options.epochs, seed=options.seed)
    save_readout(readout, options.output)
    teacher = Teacher(backbone, readout).eval()
    for database in options.databases:
        tested = read_pictures(options.data, [database], "test").to(device)
        predicted = torch.cat([teacher.densities(part.float()) for part in tested.pixels.split(BATCH)])
        cc = correlation(predicted.log(), tested.densities).mean()
        kl = divergence(predicted.log(), tested.densities)
        print(f"{options.output}: {len(predicted)} test pictures of {database}, CC {cc:.3f}, KL {kl:.3f}")


@torch.inference_mode()
def features_of(backbone: Backbone, pictures: Pictures) -> list[torch.Tensor]:
    """Returns the features of the pictures and then of their mirror images, [2 N, C, h, w] for each stage, as float16.

    Those of the finest stage are means over 2 x 2 cells: the readout does not use more.
    """
    parts = []
    for part in torch.cat([pictures.pixels, pictures.pixels.flip(3)]).split(BATCH):
        finest, *others = backbone(part.float())
        parts.append([F.avg_pool2d(finest, 2).half(), *(stage.half() for stage in others)])
    return [torch.cat(stage).clone() for stage in zip(*parts, strict=True)]


if __name__ == "__main__":
    main()
