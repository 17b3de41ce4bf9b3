"""Installed versions of the packages that affect numerical results."""

import importlib.metadata

PACKAGES = ("stavis-jax", "jax", "flax", "optax", "orbax-checkpoint", "grain", "tensorflow-datasets", "numpy", "pillow")


def versions() -> dict[str, str]:
    """Returns package -> version, or "not installed"."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found
