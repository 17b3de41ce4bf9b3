"""Lists folders without the files and folders that systems and network disks add to them."""

from pathlib import Path

_NAMES = (
    *("thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "recycler", "system volume information"),  # Windows
    *("__macosx", "network trash folder", "temporary items", "icon\r"),  # macOS
    *("@eadir", "@tmp", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "lost+found"),  # disks of networks
    "__pycache__",
)


def is_system_name(name: str) -> bool:
    """Returns whether a file or folder of this name is hidden, or belongs to a system."""
    return name.startswith(".") or name.casefold() in _NAMES


def entries(folder: Path) -> list[Path]:
    """Returns the files and folders in a folder that belong to the user, sorted by name."""
    return sorted(path for path in folder.iterdir() if not is_system_name(path.name))


def subfolders(folder: Path) -> list[Path]:
    """Returns the folders in a folder that belong to the user, sorted by name; none if it is not a folder."""
    return [path for path in entries(folder) if path.is_dir()] if folder.is_dir() else []


def is_free(path: Path) -> bool:
    """Returns whether nothing exists at `path`, or a folder without a file of the user."""
    return not path.exists() or (path.is_dir() and not any(not is_clutter(entry.name) for entry in path.iterdir()))


def is_clutter(name: str) -> bool:
    """Returns whether a file of this name appears by itself where somebody opens the folder."""
    return name.startswith("._") or name.casefold() in (".ds_store", *_NAMES)
