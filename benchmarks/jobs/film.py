"""Film to maps: from a film on disk to its maps on disk."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.session import Session, SpeedRow


def theirs(weights: str, frames: str, sound: str, path: str, size: int) -> Callable[[], None]:
    """Reads the extracted `frames` and the `sound`, as the original does; `path` is for our side."""
    from benchmarks import torch_side
    from benchmarks.reference.prediction import predict_raw_film

    network = torch_side.load(weights)

    def job() -> None:
        with tempfile.TemporaryDirectory() as folder:
            predict_raw_film(network, Path(frames), Path(sound), Path(folder), size, torch_side.BATCH_SIZE)

    return job


def ours(weights: str, frames: str, sound: str, path: str, size: int) -> Callable[[], None]:
    """Reads the film file `path`; `frames` and `sound` are for the other side."""
    from benchmarks import jax_side
    from stavis_jax.outputs.options import OutputOptions, PredictionOptions
    from stavis_jax.outputs.write import write_predictions

    model = jax_side.load_model(weights, size)
    options = PredictionOptions(("maps",), OutputOptions(map_size="network"), jax_side.BATCH_SIZE)

    def job() -> None:
        with tempfile.TemporaryDirectory() as folder:
            write_predictions(path, Path(folder) / "film", model, options)

    return job


def measure(session: Session) -> dict[str, str]:
    film, plan = session.film, session.plan
    paths = {"frames": str(film.frames), "sound": str(film.sound), "path": str(film.path)}
    rows = [
        SpeedRow(
            f"film to maps, {malloc}", session.compare("film", malloc, window_seconds=0, **paths), plan.film_frames
        )
        for malloc in session.plan.mallocs
        if malloc != "plain"
    ]
    text = (
        f"A film of {plan.film_frames} frames of {plan.film_size[0]}x{plan.film_size[1]} with sound to its maps on "
        "disk, of the network's size, ms a map. Ours: the film file is decoded once. PyTorch, the original's way: "
        "frames extracted as JPEGs beforehand, not timed; 16 of them decoded and resized for every map, by a "
        "DataLoader with a worker a core; batches of 4."
    )
    return session.speed_section("Film to maps", text, rows)
