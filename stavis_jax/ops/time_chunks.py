"""Clips cut in time into chunks, for the layers at the highest resolution on a TPU.

A TPU keeps one axis of an array in its 128 lanes. In the stem this is the batch, which is often smaller. So clips are
cut into chunks of neighbouring frames, and the chunks are the clips of a larger batch: 32 clips of 16 frames become 128
chunks of 4. Where a layer needs the frames before or after a chunk, they are copied.
"""

import dataclasses
import itertools
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from stavis_jax.ops.clip_pairs import LANES


@dataclasses.dataclass(frozen=True)
class TimeChunks:
    """The order of the chunks in a batch: for each device, the first chunk of every clip, then the second of every one.

    Attributes:
      number: chunks of a clip.
      devices: over how many devices the batch is split, so that all chunks of a clip are on one of them.
    """

    number: int
    devices: int = 1

    @classmethod
    def for_batch(cls, clips: int, frames: int, devices: int = 1) -> "TimeChunks | None":
        """Returns the fewest chunks that fill the lanes, of an even number of frames each; None for an odd number."""
        possible = [2**i for i in range(frames.bit_length()) if frames % 2 ** (i + 1) == 0]
        enough = [number for number in possible if number * clips >= LANES * devices]
        return cls((enough or possible[-1:])[0], devices) if possible else None

    def cut(self, clip: jax.Array, neighbours: int) -> jax.Array:
        """Cuts clips [B, T, ...] into chunks, each with some frames before and after it, zeros at the clip's ends.

        A convolution over time whose features are the clips, with a kernel of 0 and 1, copies the frames. By the TPU
        compiler's estimate this takes half of the time of slices and a transpose. A value that is not finite makes
        other clips of its device NaN too.

        Returns:
          [B number, T / number + 2 neighbours, ...].
        """
        batch, length, *rest = clip.shape
        frames = length // self.number
        clips = batch // self.devices
        kernel = jnp.eye(clips * self.number, dtype=clip.dtype).reshape(1, self.number, 1, clips, -1)
        chunks = jax.lax.conv_general_dilated(
            clip.reshape(self.devices, clips, length, -1, rest[-1]),
            kernel,
            (1, 1, 1),
            [(0, 0), (neighbours, neighbours), (0, 0)],
            rhs_dilation=(1, frames, 1),
            dimension_numbers=("DCTHN", "DTHIO", "DCTHN"),
            precision="highest",
        )
        return chunks.reshape(batch * self.number, frames + 2 * neighbours, *rest)

    def spread(self, x: jax.Array) -> jax.Array:
        """Gives every chunk what its clip has: [B, ...] -> [B number, ...]."""
        return self._merged([x] * self.number)

    def mean(self, x: jax.Array) -> jax.Array:
        """Averages over a clip's chunks: [B number, H, W, C] -> [B, H, W, C], float32."""
        by_device = _gradient_apart(x).reshape(self.devices, -1, *x.shape[1:])
        own = jnp.eye(by_device.shape[1] // self.number, dtype=x.dtype) / self.number
        # A product with a matrix adds up numbers of different lanes, which slices would have to move first.
        matrix = jnp.tile(own, self.number)
        means = jnp.einsum(
            "bn,dn...->db...", matrix, by_device, precision="highest", preferred_element_type=jnp.float32
        )
        return means.reshape(-1, *x.shape[1:])

    def of_chunk_before(self, x: jax.Array) -> jax.Array:
        """Gives every chunk what the one before it has, and zeros to the first: [B number, ...]."""
        first, *others = self._apart(x)
        return self._merged([jnp.zeros_like(first), first, *others][: self.number])

    def joined(self, frames: Sequence[jax.Array]) -> jax.Array:
        """Joins the frames of chunks, F x [B number, ...], to clips [B, number F, ...]."""
        by_chunk = zip(*map(self._apart, frames), strict=True)
        return jnp.stack(list(itertools.chain.from_iterable(by_chunk)), axis=1)

    def joined_in_pairs(self, frames: Sequence[jax.Array]) -> jax.Array:
        """Joins the frames of chunks into clips, and places pairs of clips side by side (ops/clip_pairs.py).

        Products with matrices of 0 and 1 select the clips. By the TPU compiler's estimate, this takes less than half of
        the time of XLA's transposes. A value that is not finite makes the other clips of its device NaN too.

        Returns:
          [B/2, number F, ..., 2C], or what `joined` returns if a device's share of the clips is odd.
        """
        split = jnp.stack(frames, axis=1).reshape(self.devices, -1, len(frames), *frames[0].shape[1:])
        clips = split.shape[1] // self.number
        if clips % 2:
            return self.joined(frames)
        places = jnp.eye(split.shape[1], dtype=split.dtype).reshape(self.number, clips // 2, 2, -1)
        one, other = (
            jnp.einsum("kin,dnf...->dikf...", places[:, :, side], split, precision="highest") for side in (0, 1)
        )
        pairs = jnp.concatenate([one, other], axis=-1)
        return pairs.reshape(self.devices * clips // 2, -1, *pairs.shape[4:])

    def _merged(self, parts: Sequence[jax.Array]) -> jax.Array:
        """number x [B, ...] -> [B number, ...]."""
        if self.devices == 1:
            return jnp.concatenate(parts)
        split = [part.reshape(self.devices, -1, *part.shape[1:]) for part in parts]
        return jnp.concatenate(split, axis=1).reshape(-1, *parts[0].shape[1:])

    def _apart(self, x: jax.Array) -> list[jax.Array]:
        if self.devices == 1:
            return jnp.split(x, self.number)
        split = jnp.split(x.reshape(self.devices, -1, *x.shape[1:]), self.number, axis=1)
        return [part.reshape(-1, *x.shape[1:]) for part in split]


@jax.custom_vjp
def _gradient_apart(x: jax.Array) -> jax.Array:
    """Returns x. XLA does not fuse the product that computes its gradient with what uses it.

    The frames' gradients are then not part of a product, and are summed for BatchNorm where they are computed.
    """
    return x


_gradient_apart.defvjp(lambda x: (x, None), lambda _, gradient: (jax.lax.optimization_barrier(gradient),))
