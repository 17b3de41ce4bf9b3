"""The learning rate of each parameter, as a table: multipliers of a stage's base rate, as in the released training."""

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping

from stavis_jax.models import fusion

GROUPS = ("trunk", "heads", "sound", "localization")


@dataclasses.dataclass(frozen=True)
class ParameterRule:
    """Parameters whose full name matches `pattern`. They learn at the group's rate times `factor`."""

    pattern: str
    group: str
    factor: float = 1.0


ROWS = (
    ParameterRule(r"trunk/.*", "trunk"),
    ParameterRule(r"attention\d/side_prep/kernel", "heads"),
    ParameterRule(r"attention\d/side_prep/bias", "heads", 2.0),
    ParameterRule(r"attention\d/score/kernel", "heads", 0.1),
    ParameterRule(r"attention\d/score/bias", "heads", 0.2),
    ParameterRule(r"attention\d/upsample_(features|activation)", "heads", 0.1),  # trained, as in the released weights
    ParameterRule(r"fuse(av(/\w+)?)?/conv/kernel", "heads", 0.1),
    ParameterRule(r"fuse(av(/\w+)?)?/conv/bias", "heads", 0.2),
    ParameterRule(r"soundnet/.*", "sound"),
    ParameterRule(r"(hidden|localization)/.*", "localization"),
)

UPSAMPLED_ACTIVATIONS = (r"attention\d/upsample_activation", r"attention4/score/.*")  # side outputs only
UPSAMPLING_KERNELS = r"attention\d/upsample_(features|activation)"


def row_of(name: str) -> ParameterRule:
    """Returns the row of a parameter.

    Raises:
      ValueError: no row matches, or several do.
    """
    rows = [row for row in ROWS if re.fullmatch(row.pattern, name)]
    if len(rows) != 1:
        raise ValueError(f"parameter {name!r} falls in {len(rows)} rows of the table, expected 1")
    return rows[0]


def rate_factors(
    names: Iterable[str], variant: str, group_rates: Mapping[str, float], freeze_upsampling: bool = False
) -> dict[str, float]:
    """Returns parameter name -> rate relative to the base rate; 0 for a parameter that does not learn.

    Args:
      names: parameters of the network, such as 'attention1/score/bias'.
      variant: a system of fusion.VARIANTS.
      group_rates: rate of each group relative to the base rate, from a recipe in configs/.
      freeze_upsampling: keeps the upsampling kernels as they are.
    """
    frozen = [*_unused(fusion.VARIANTS[variant])] + [UPSAMPLING_KERNELS] * freeze_upsampling
    factors = {}
    for name in names:
        row = row_of(name)
        learns = not any(re.fullmatch(pattern, name) for pattern in frozen)
        factors[name] = group_rates[row.group] * row.factor if learns else 0.0
    return factors


def _unused(variant: fusion.Variant) -> Iterator[str]:
    """Yields patterns of parameters that the loss does not depend on. They have no gradient, and must not decay."""
    if variant.uses_sound:
        yield from UPSAMPLED_ACTIVATIONS
    if not variant.uses_visual_map:
        yield r"fuse/.*"
    if not variant.uses_features:  # sound is compared with layer2
        yield from (r"trunk/layer3/.*", r"attention\d/upsample_features", r"attention[34]/.*")
