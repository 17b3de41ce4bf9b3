"""The authors' archives: what each kind contains, and which ones a run fetches."""

import dataclasses
from collections.abc import Sequence

from data_pipelines.raw.databases import DATABASES
from data_pipelines.runtime.errors import UserError


@dataclasses.dataclass(frozen=True)
class ArchiveKind:
    """Archives that unpack alike.

    Attributes:
      folder: folder in the raw layout, and above the archives on the server.
      content: regular expression of the paths to look for in the archive, from the folder to unpack on.
      one_per_database: whether there is an archive for each database, or one for all.
    """

    folder: str
    content: str
    one_per_database: bool = True


@dataclasses.dataclass(frozen=True)
class Archive:
    """One archive. `name` is its path on the server without ".tar.gz", and its folder in the raw layout."""

    name: str
    kind: ArchiveKind


KINDS: dict[str, ArchiveKind] = {  # the small ones first
    "fold_lists": ArchiveKind("fold_lists", r"[^/]+_fps\.txt", one_per_database=False),
    "annotations": ArchiveKind("annotations", r"[^/]+/(maps/eyeMap_\d+\.jpg|fixMap_\d+\.mat)"),
    "audio": ArchiveKind("video_audio", r"[^/]+/[^/]+\.wav"),
    "video_frames": ArchiveKind("video_frames", r"[^/]+/img_\d+\.jpg"),
    "pretrained": ArchiveKind(
        "pretrained_models", r"(stavis_(visual_only|audiovisual)/)?[^/]+\.pth", one_per_database=False
    ),
}


def chosen_archives(databases: Sequence[str] | None, what: Sequence[str] | None) -> list[Archive]:
    """Returns the archives of some databases and kinds, by default of all.

    Args:
      databases: folders or names of the paper's databases.
      what: keys of `KINDS`.

    Raises:
      UserError: a database or kind is not known.
    """
    folders = {alias: folder for folder, database in DATABASES.items() for alias in (folder, database.name)}
    for flag, given, known, choices in (
        ("--databases", databases, folders, DATABASES),
        ("--what", what, KINDS, KINDS),
    ):
        if unknown := [name for name in given or () if name not in known]:
            raise UserError(f"{flag}: {unknown[0]!r} is not known. Choose from {', '.join(choices)}.")
    chosen = {folders[name] for name in databases or DATABASES}
    archives = []
    for kind in (kind for name, kind in KINDS.items() if name in (what or KINDS)):
        per_database = [f"{kind.folder}/{folder}" for folder in DATABASES if folder in chosen]
        archives += [Archive(name, kind) for name in (per_database if kind.one_per_database else [kind.folder])]
    return archives
