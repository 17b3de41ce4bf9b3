"""Imports follow the data: a room imports only the rooms that this table allows, and no room imports a command.

A room is a folder of a package. Commands are the files beside the rooms; they may import every room.
"""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("data_pipelines", "stavis_jax")
ALLOWED = {  # room: the rooms it may import, in the order in which the data flows
    # data_pipelines: raw data -> shards -> clips
    "runtime": "",
    "inputs": "runtime",
    "raw": "runtime",
    "films": "runtime inputs raw",
    "drawing": "runtime films",
    "fetching": "runtime raw",
    "ingestion": "runtime raw films drawing",
    "synthetic": "runtime raw",
    "shards": "runtime inputs raw",
    "clips": "runtime inputs raw shards",
    # stavis_jax: clips -> network -> training, maps, scores, reports
    "configs": "",
    "ops": "",
    "models": "inputs ops",
    "weights": "runtime fetching ops models",
    "maps": "runtime raw",
    "watch": "runtime",
    "training": "runtime inputs ops models weights maps watch",
    "prediction": "runtime inputs films ops models weights",
    "cli": "runtime inputs configs weights prediction",
    "outputs": "runtime inputs films drawing ingestion cli prediction maps",
    "streaming": "runtime inputs films models prediction outputs",
    "metrics": "",
    "scoring": "runtime raw films ingestion shards maps metrics",
    "reports": "runtime raw drawing shards maps scoring",
    "reframing": "runtime films drawing prediction maps outputs reports",
    "cuts": "runtime films drawing prediction maps outputs reports",
    "experiments": (
        "runtime inputs raw synthetic shards clips cli ops models weights watch training prediction maps scoring "
        "reports"
    ),
    "checking": "runtime inputs shards models weights training reports",
    "web": "runtime drawing models weights prediction maps outputs",
}


def room_of(path: Path) -> str:
    """Returns the room of a file below ROOT, or the dotted name of a command."""
    package, *inside = path.relative_to(ROOT).with_suffix("").parts
    return inside[0] if len(inside) > 1 else ".".join([package, *inside]).removesuffix(".__init__")


def imported_rooms(path: Path) -> set[str]:
    """Returns the rooms and commands that a file imports, its own room left out."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write imports with the package's name"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    targets = {".".join(name.split(".")[:2]) for name in names if name.split(".")[0] in PACKAGES}
    return {_room_named(target) for target in targets} - {room_of(path)}


def _room_named(target: str) -> str:
    """Returns the room or command of a name: "stavis_jax.load" is of "stavis_jax" itself."""
    path = ROOT / target.replace(".", "/")
    if path.is_dir() and path.parent != ROOT:
        return path.name
    return target if path.with_suffix(".py").is_file() else target.partition(".")[0]


def source_files() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def test_every_folder_is_a_room_of_the_table():
    assert {room_of(path) for path in source_files() if path.parent.parent != ROOT} == set(ALLOWED)


def test_rooms_import_only_what_the_table_allows():
    found = {
        (path.relative_to(ROOT).as_posix(), imported)
        for path in source_files()
        if (room := room_of(path)) in ALLOWED
        for imported in imported_rooms(path) - set(ALLOWED[room].split())
    }
    assert found == set()


def test_the_table_is_in_the_order_of_the_data():
    """A room imports only rooms above it, so there is no circle either."""
    order = list(ALLOWED)
    for place, (room, rooms) in enumerate(ALLOWED.items()):
        assert set(rooms.split()) <= set(order[:place]), room
