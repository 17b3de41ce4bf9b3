"""Sound-source localisation: how similar each position's visual features are to the sound's (paper, section 3.3).

  L1     cosine of the angle between h_v and h_a          1 map
  L2     sum_l s_l h_v,l h_a,l + beta                     1 map
  L3     h_v' M h_a + mu                                  1 map, or 64 maps (L3mul)

h_v [B, h, w, 128] are hidden features of the picture, h_a [B, 128] of the sound.
"""

import jax
import jax.numpy as jnp
from flax import nnx

from stavis_jax.models import initialization
from stavis_jax.models.layers import Dense
from stavis_jax.models.soundnet import SOUND_FEATURES

HIDDEN = 128
MULTIPLE_MAPS = 64


class HiddenFeatures(nnx.Module):
    """h_v = ReLU(U_v f_v + b_v) at every position, h_a = ReLU(U_a f_a + b_a)."""

    def __init__(self, visual_channels: int, *, rngs: nnx.Rngs):
        self.visual = Dense(visual_channels, HIDDEN, rngs=rngs)
        self.sound = Dense(SOUND_FEATURES, HIDDEN, rngs=rngs)

    def __call__(self, visual: jax.Array, sound: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Takes visual features [B, h, w, C] and sound features [B, 1024]. Returns h_v and h_a."""
        return nnx.relu(self.visual(visual)), nnx.relu(self.sound(sound))


class Localization(nnx.Module):
    """A localisation method: h_v [B, h, w, 128] and h_a [B, 128] to K maps [B, h, w, K]."""

    def __init__(self, num_maps: int, *, rngs: nnx.Rngs):
        del num_maps, rngs

    def __call__(self, visual: jax.Array, sound: jax.Array) -> jax.Array:
        raise NotImplementedError

    def weighted_sum(self, visual: jax.Array, sound: jax.Array, weights: jax.Array) -> jax.Array:
        """Returns the maps summed with weights [K]: [B, h, w]."""
        return self(visual, sound) @ weights


class Cosine(Localization):
    """L1, in [0, 1]; 0 where h_v or h_a is zero. It has no parameters."""

    def __init__(self, num_maps: int = 1, *, rngs: nnx.Rngs):
        super().__init__(num_maps, rngs=rngs)

    def __call__(self, visual: jax.Array, sound: jax.Array) -> jax.Array:
        return jnp.einsum("bhwi,bi->bhw", _unit(visual), _unit(sound))[..., None]


class InnerProduct(Localization):
    """L2. Its starting values are distributed like the diagonal of L3's."""

    def __init__(self, num_maps: int = 1, *, rngs: nnx.Rngs):
        del num_maps
        init = initialization.fan_out_normal(MULTIPLE_MAPS * HIDDEN)
        self.kernel = nnx.Param(init(rngs.params(), (HIDDEN,)))
        self.bias = nnx.Param(jnp.zeros((1,), jnp.float32))

    def __call__(self, visual: jax.Array, sound: jax.Array) -> jax.Array:
        weighted = sound * self.kernel[...].reshape(1, -1)
        return (jnp.einsum("bhwi,bi->bhw", visual, weighted) + self.bias[...].reshape(1, 1, 1))[..., None]


class Bilinear(Localization):
    """L3 and L3mul: map k is h_v' M_k h_a + mu_k."""

    def __init__(self, num_maps: int = MULTIPLE_MAPS, *, rngs: nnx.Rngs):
        init = initialization.fan_out_normal(MULTIPLE_MAPS * HIDDEN)
        self.kernel = nnx.Param(init(rngs.params(), (num_maps, HIDDEN, HIDDEN)))
        self.bias = nnx.Param(jnp.zeros((num_maps,), jnp.float32))

    def __call__(self, visual: jax.Array, sound: jax.Array) -> jax.Array:
        return jnp.einsum("kij,bj,bhwi->bhwk", self.kernel[...], sound, visual) + self.bias[...].reshape(1, 1, 1, -1)

    def weighted_sum(self, visual: jax.Array, sound: jax.Array, weights: jax.Array) -> jax.Array:
        """Returns the weighted sum without making the maps."""
        kernel = jnp.einsum("k,kij->ij", weights, self.kernel[...])
        return jnp.einsum("bhwi,bi->bhw", visual, sound @ kernel.T) + jnp.dot(weights, self.bias[...])


def _unit(x: jax.Array) -> jax.Array:
    """Scales vectors along the last axis to length 1. Zero vectors stay zero, with a gradient of zero."""
    squares = jnp.sum(x * x, -1, keepdims=True)
    return x * jnp.where(squares > 0, jax.lax.rsqrt(jnp.where(squares > 0, squares, 1.0)), 0.0)
