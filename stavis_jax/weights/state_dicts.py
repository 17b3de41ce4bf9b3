"""Finds the network's state dict in what a PyTorch file holds, and brings its keys and values into one form."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from data_pipelines.runtime.errors import UserError
from stavis_jax.weights.pickled_tensors import AnyTensor

WHOLE_FILE = "the whole file"  # name of a state dict that lies in no other dictionary
_USUAL_NAMES = ("state_dict", "model_state_dict", "model", "network", "net", "module", "weights", "params")
_AVERAGED = re.compile(r"ema|swa|average|teacher|shadow")
_AVERAGED_MODEL_COUNTER = "n_averaged"  # torch.optim.swa_utils.AveragedModel has it beside its network
_LARGEST_DEPTH = 4
# DataParallel and DistributedDataParallel, torch.compile, FSDP and others wrap a network, or parts of it.
_WRAPPERS = r"module|_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module"
_PREFIXES = re.compile(rf"(?:(?:{_WRAPPERS}|model|network|net)\.)+")
_INSIDE = re.compile(rf"(?<=\.)(?:(?:{_WRAPPERS})\.)+")
ADVICE = "Give a checkpoint of a network's state_dict()."


class StateDict(NamedTuple):
    """A state dict, its name, and the names of the others beside it."""

    name: str
    state: Mapping[str, AnyTensor]
    others: tuple[str, ...]


def find_state_dict(content: Any, source: str, name: str | None = None) -> StateDict:
    """Returns the state dict called `name`, or the network's own: usual names come first, averaged weights last.

    Args:
      content: what the file holds.
      source: name of the file, for errors.
      name: a name as in `StateDict.others`, such as "ema" or "ema.module".

    Raises:
      UserError: there is no state dict, or none of that name.
    """
    found = dict(_state_dicts(content, "", set()))
    if not found:
        raise UserError(_why_none(content, source))
    if name is not None:
        if name not in found:
            raise UserError(f"{source}: has no state dict {name!r}, only {', '.join(found)}. Give one of these.")
        chosen = name
    else:
        chosen = min(found, key=_rank)
    state = {key: tensor for key, tensor in found[chosen].items() if key != _AVERAGED_MODEL_COUNTER}
    return StateDict(chosen, state, tuple(other for other in found if other != chosen))


def plain_names(state: Iterable[str], source: str) -> list[str]:
    """Returns the keys without the prefixes of wrappers.

    Raises:
      UserError: two keys become equal.
    """
    names: dict[str, str] = {}
    for key in state:
        name = _PREFIXES.sub("", key, count=1) if _PREFIXES.match(key) else key
        name = _INSIDE.sub("", name)
        if name in names:
            prefix = max(key, names[name], key=len).removesuffix(name)
            raise UserError(f"{source}: {name} exists with and without {prefix!r} before it. Remove one of them.")
        names[name] = key
    return list(names)


def finite_arrays(arrays: Iterable[tuple[str, np.ndarray]], source: str) -> Iterator[tuple[str, np.ndarray]]:
    """Yields names and arrays, each in memory of its own, numbers of any precision as float32.

    Raises:
      UserError: a value is not finite as float32.
    """
    for name, stored in arrays:
        if stored.dtype.kind in "iub":
            yield name, np.array(stored)
            continue
        with np.errstate(over="ignore"):
            array = stored.astype(np.float32)
        if not np.isfinite(array).all():
            raise UserError(
                f"{source}: {name} holds values that are not finite. Give a checkpoint that was saved before its "
                "training diverged."
            )
        yield name, array


def _state_dicts(content: Any, path: str, seen: set[int]) -> Iterator[tuple[str, Mapping[str, AnyTensor]]]:
    """Yields each state dict in `content` once, with its path, such as "model.net". `seen`: those that were visited."""
    if not isinstance(content, Mapping) or id(content) in seen or path.count(".") > _LARGEST_DEPTH:
        return
    seen.add(id(content))
    if content and all(isinstance(key, str) and isinstance(value, AnyTensor) for key, value in content.items()):
        yield path or WHOLE_FILE, content
        return
    for key, value in content.items():
        if isinstance(key, str) and "optim" not in key:
            yield from _state_dicts(value, f"{path}.{key}" if path else key, seen)


def _rank(name: str) -> tuple[bool, int]:
    first = name.partition(".")[0]
    return bool(_AVERAGED.search(name)), _USUAL_NAMES.index(first) if first in _USUAL_NAMES else len(_USUAL_NAMES)


def _why_none(content: Any, source: str) -> str:
    outer = content if isinstance(content, Mapping) else {}
    state = outer.get("state_dict", outer)
    is_named = "state_dict" in outer and isinstance(state, Mapping) and state
    if not (is_named or any(isinstance(value, AnyTensor) for value in outer.values())):
        return f"{source}: holds no state dict. {ADVICE}"
    key = next(key for key, value in state.items() if not (isinstance(key, str) and isinstance(value, AnyTensor)))
    return f"{source}: {key!r} is not a tensor, so this is no state dict. {ADVICE}"
