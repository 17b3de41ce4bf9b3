"""SoundNet, conv1 to conv7: sound features of a waveform (supplement, Table 2).

  conv   channels  kernel  stride  padding  then
  1      16        64      2       32       BN, ReLU, max pool 8
  2      32        32      2       16       BN, ReLU, max pool 8
  3      64        16      2       8        BN, ReLU
  4      128       8       2       4        BN, ReLU
  5      256       4       2       2        BN, ReLU, max pool 4
  6      512       4       2       2        BN, ReLU
  7      1024      4       2       2        BN, ReLU, max over the remaining time

The supplement prints a stride of 1 for the pools; the released weights were trained with stride = kernel.
"""

import jax
from flax import nnx

from stavis_jax.models.layers import BatchNorm, Conv1D
from stavis_jax.ops.pooling import max_over, max_pool1d

# channels, kernel, padding, pool after (1: none)
ROWS = (
    (16, 64, 32, 8),
    (32, 32, 16, 8),
    (64, 16, 8, 1),
    (128, 8, 4, 1),
    (256, 4, 2, 4),
    (512, 4, 2, 1),
    (1024, 4, 2, 1),
)
SOUND_FEATURES = ROWS[-1][0]
FEWEST_SAMPLES = 12_766  # fewer leave no time step for the last maximum


class SoundNet(nnx.Module):
    """Waveform [B, S] at 22,050 Hz in [-256, 256] -> features [B, 1024]. S is at least FEWEST_SAMPLES."""

    def __init__(self, *, rngs: nnx.Rngs):
        channels = 1
        for i, (features, size, padding, _) in enumerate(ROWS, start=1):
            setattr(self, f"conv{i}", Conv1D(channels, features, size, 2, padding, rngs=rngs))
            setattr(self, f"bn{i}", BatchNorm(features))
            channels = features

    def __call__(self, waveform: jax.Array, train: bool) -> jax.Array:
        x = waveform[:, :, None]  # [B, S, 1]
        for i, (_, _, _, pool) in enumerate(ROWS, start=1):
            x = getattr(self, f"conv{i}")(x)
            x = nnx.relu(getattr(self, f"bn{i}")(x, train))
            x = max_pool1d(x, pool) if pool > 1 else x
        return max_over(x, axis=1)  # [B, 1024]
