"""Loads the network that a command's flags name."""

from collections.abc import Mapping
from typing import Any

from stavis_jax.cli.process import enable_compilation_cache
from stavis_jax.prediction import model
from stavis_jax.prediction.memory_use import OF_COMMANDS
from stavis_jax.weights.named_checkpoints import announce_starter, locate


def load_network(arguments: Mapping[str, Any]) -> model.StavisModel:
    """Loads the network that the flags of `add_checkpoint_flags` name. Says so if it is the starter by default.

    Raises:
      UserError: the checkpoint cannot be found, fetched or read.
    """
    enable_compilation_cache()
    checkpoint = locate(arguments["checkpoint"], arguments["base_url"])
    if arguments["checkpoint"] is None:
        announce_starter()
    network = model.load(checkpoint, variant=arguments["variant"], dtype=arguments["dtype"])
    network.memory_use = OF_COMMANDS[arguments.get("memory", "normal")]
    return network
