"""Command: downloads the authors' archives and unpacks them into the raw layout.

    archive                       unpacks to                                          --what
    fold_lists.tar.gz             fold_lists/*_fps.txt                                fold_lists
    annotations/<DB>.tar.gz       annotations/<DB>/<video>/fixMap_00001.mat, maps/    annotations
    video_audio/<DB>.tar.gz       video_audio/<DB>/<video>/<video>.wav                audio
    video_frames/<DB>.tar.gz      video_frames/<DB>/<video>/img_00001.jpg             video_frames
    pretrained_models.tar.gz      pretrained_models/, the weights as .pth             pretrained

Archives that are unpacked already are not fetched again. Run the command again to continue an interrupted download.
"""

from collections.abc import Sequence
from pathlib import Path

from data_pipelines.fetching.archives import KINDS
from data_pipelines.fetching.archives_to_raw import BASE_URL, fetch
from data_pipelines.raw.databases import DATABASES
from data_pipelines.runtime.arguments import CommandParser, ListAction
from data_pipelines.runtime.command import command

__all__ = ["fetch", "main"]


@command
def main(argv: Sequence[str] | None = None) -> None:
    flags = _parser().parse_args(argv)
    new = fetch(**vars(flags))
    print(
        f"{flags.output}: {len(new)} unpacked ({', '.join(new)})." if new else f"{flags.output}: nothing was missing."
    )


def _parser() -> CommandParser:
    parser = CommandParser(
        "data_pipelines.fetch", __doc__, example="--output raw --databases DIEM AVAD --what fold_lists audio"
    )
    add = parser.add_argument
    add("--output", type=Path, required=True, metavar="RAW", help="raw data folder")
    add("--databases", action=ListAction, metavar="DB", help=f"any of {', '.join(DATABASES)} (default: all)")
    add("--what", action=ListAction, metavar="KIND", help=f"any of {', '.join(KINDS)} (default: all)")
    add("--base-url", default=BASE_URL, metavar="URL", help="address of the server or of a mirror")
    add("--archives", type=Path, metavar="DIR", help="unpack archives on disk, such as DIR/video_frames/DIEM.tar.gz")
    return parser


if __name__ == "__main__":
    main()
