"""Checkpoints by name: the starter network, which is part of the package, and those of the authors.

The authors' are fetched at first use, converted, and kept in the user's cache folder.
"""

import logging
import sys
from pathlib import Path
from typing import NamedTuple

import filelock
import platformdirs

from data_pipelines.fetching.archives import KINDS
from data_pipelines.fetching.archives_to_raw import BASE_URL, fetch
from data_pipelines.fetching.download import CannotFetchError
from data_pipelines.runtime.errors import UserError
from stavis_jax.weights.directory import ADVICE, is_weights_directory, save_weights
from stavis_jax.weights.pytorch_weights import AUDIOVISUAL, VISUAL, read_pytorch_weights
from stavis_jax.weights.safetensors_file import find_state_dict_file

PROJECT_PAGE = "http://cvsp.cs.ntua.gr/research/stavis/"
STARTER = "starter"
STARTER_DIRECTORY = Path(__file__).parent / "packaged" / STARTER
REINSTALL = "Install stavis-jax again."

log = logging.getLogger("stavis_jax")


class FetchedCheckpoint(NamedTuple):
    """One file of the authors' archive `pretrained_models`.

    Attributes:
      file: its path in the archive.
      variant: the system that it was trained as; None for a backbone.
      citation: what users of the file are asked to cite.
    """

    file: str
    variant: str | None = None
    citation: str = "Tsiami, Koutras and Maragos, CVPR 2020"


FETCHED = {
    "stavis": FetchedCheckpoint("stavis_audiovisual/audiovisual_split1_save_60.pth", AUDIOVISUAL),
    "stavis-split2": FetchedCheckpoint("stavis_audiovisual/audiovisual_split2_save_60.pth", AUDIOVISUAL),
    "stavis-split3": FetchedCheckpoint("stavis_audiovisual/audiovisual_split3_save_60.pth", AUDIOVISUAL),
    "stavis-visual": FetchedCheckpoint("stavis_visual_only/visual_split1_save_60.pth", VISUAL),
    "stavis-visual-split2": FetchedCheckpoint("stavis_visual_only/visual_split2_save_60.pth", VISUAL),
    "stavis-visual-split3": FetchedCheckpoint("stavis_visual_only/visual_split3_save_60.pth", VISUAL),
    "resnet-50-kinetics": FetchedCheckpoint("resnet-50-kinetics.pth", None, "Hara, Kataoka and Satoh, CVPR 2018"),
    "soundnet8": FetchedCheckpoint("soundnet8.pth", None, "Aytar, Vondrick and Torralba, NIPS 2016"),
}
NAMES = (STARTER, *FETCHED)
SYNONYMS = {"stavis-split1": "stavis", "stavis-visual-split1": "stavis-visual"}


def locate(checkpoint: Path | str | None, base_url: str | None = None) -> Path:
    """Returns the path of a checkpoint. One of `FETCHED` is fetched and converted at its first use.

    A file or folder with the name of such a checkpoint is taken in its place, and a line in the log says so. Of a
    folder with .safetensors files, the path of their index or of the only file is returned. Any other path is returned
    as it is, whether it exists or not.

    Args:
      checkpoint: a path or a name; None for the starter network.
      base_url: address of the authors' server or of a mirror; None for the authors' server.

    Raises:
      UserError: a named checkpoint cannot be fetched or converted, the installation lacks the starter network, or
        `base_url` is given without a checkpoint.
    """
    if checkpoint is None:
        if base_url:
            raise UserError(
                f"--base-url {base_url}: the starter network is not fetched. Give --checkpoint stavis too, or leave "
                "--base-url out."
            )
        return _starter()
    path, given = Path(checkpoint), str(checkpoint)
    name = SYNONYMS.get(given, given)
    if name not in NAMES:
        return find_state_dict_file(path)
    if path.exists():
        log.warning(
            "%s: is taken from %s. For the named checkpoint, run from another folder or rename it.",
            given,
            path.absolute(),
        )
        return find_state_dict_file(path)
    if name == STARTER:
        return _starter()
    directory = cache_folder() / name
    if not is_weights_directory(directory):
        try:
            directory.parent.mkdir(parents=True, exist_ok=True)
            with filelock.FileLock(directory.parent / ".lock"):  # several runs may start at once: the others wait
                if not is_weights_directory(directory):
                    _make(name, directory, base_url or BASE_URL)
        except OSError as error:
            fault = f"{error.filename or directory}: {error.strerror or error}"
            raise UserError(f"{fault}. Set XDG_CACHE_HOME to a folder that can be written.") from error
    return directory


def announce_starter() -> None:
    """Prints one line on stderr about the network that a command takes without --checkpoint."""
    _say(
        "starter: the package's own small network predicts, since no --checkpoint is given. It sees the picture only "
        "and has never heard sound. For the authors' audio-visual network, give --checkpoint stavis."
    )


def cache_folder() -> Path:
    """Returns the folder of the fetched checkpoints, in the user's cache folder, which XDG_CACHE_HOME can move."""
    return Path(platformdirs.user_cache_dir("stavis_jax")) / "checkpoints"


def advice_if_damaged(directory: Path) -> str:
    """Returns what a user can do about a converted directory that is damaged."""
    if directory == STARTER_DIRECTORY:
        return REINSTALL
    is_cached = directory.name in FETCHED and directory.parent == cache_folder()
    return f"Remove {directory}: it is made again at its next use." if is_cached else ADVICE


def _starter() -> Path:
    """Returns the directory of the starter network. Raises UserError if the installation lacks it."""
    if not is_weights_directory(STARTER_DIRECTORY):
        raise UserError(f"{STARTER_DIRECTORY}: is missing, so the installation is incomplete. {REINSTALL}")
    return STARTER_DIRECTORY


def _make(name: str, directory: Path, base_url: str) -> None:
    """Fetches the archive, unless an earlier run did, and converts one of its files."""
    named, folder = FETCHED[name], directory.parent
    ways = (
        f"Give a local file in place of {name}, or fetch from a mirror: "
        f"python -m data_pipelines.fetch --what pretrained --output {folder} --base-url URL."
    )
    fetched = folder / KINDS["pretrained"].folder
    file = fetched / named.file
    if not file.is_file():
        _say(f"{name}: fetching the authors' models to {folder}, once.")
        try:
            fetch(folder, what=["pretrained"], base_url=base_url)
        except CannotFetchError as error:
            raise UserError(f"{error.fault}. {ways}") from error
    if not file.is_file():
        raise UserError(f"{file}: is not in the authors' archive. Remove {fetched} to fetch it again. {ways}")
    try:
        weights, info, *_ = read_pytorch_weights(file, named.variant)
    except UserError as error:
        raise UserError(f"{error} If it was damaged here, remove {fetched} to fetch it again.") from error
    save_weights(directory, weights, info)
    _say(f"{name}: converted to {directory}. Terms: if you use it, cite {named.citation} ({PROJECT_PAGE}).")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
