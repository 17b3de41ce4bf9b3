"""Compiled functions on disk, so that only the first run on a machine waits for the compiler."""

from pathlib import Path

import jax
import platformdirs

MAX_BYTES = 4 * 2**30


def enable() -> None:
    """Keeps compiled functions in the user's cache folder, or where JAX_COMPILATION_CACHE_DIR says."""
    if jax.config.jax_compilation_cache_dir is None:
        jax.config.update("jax_compilation_cache_dir", str(Path(platformdirs.user_cache_dir("stavis_jax")) / "xla"))
        jax.config.update("jax_compilation_cache_max_size", MAX_BYTES)
