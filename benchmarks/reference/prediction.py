"""Predicts a map for every frame in PyTorch as the original does: each map from a whole clip of 16 frames."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from benchmarks.inputs import CLIP_FRAMES, FRAME_RATE_HZ, SAMPLE_RATE_HZ
from benchmarks.machine import cores
from benchmarks.reference.network import TorchStavis
from benchmarks.reference.raw_clips import MEAN_RGB, read_sound, resized_picture, windowed_excerpt

FRAMES_BEFORE = 7  # frames of a clip before the frame whose map it predicts


def predict_frames(
    network: TorchStavis, frames: np.ndarray, sound: np.ndarray, frame_rate_hz: float, batch_size: int
) -> np.ndarray:
    """Returns maps float32 [N, S, S] in [0, 1] of frames uint8 [N, S, S, 3] and their sound."""
    maps = []
    for start in range(0, len(frames), batch_size):
        targets = range(start, min(start + batch_size, len(frames)))
        indices = [clip_frames(target, len(frames)) for target in targets]
        clip = torch.from_numpy(np.stack([frames[i] - MEAN_RGB for i in indices]))
        excerpts = [windowed_excerpt(sound, SAMPLE_RATE_HZ, frame_rate_hz, i[0] + 1, i[-1] + 1) for i in indices]
        maps.append(_maps(network, clip, torch.from_numpy(np.stack(excerpts))))
    return np.concatenate(maps)


def predict_raw_film(network: TorchStavis, frames: Path, sound: Path, output: Path, size: int, batch_size: int) -> None:
    """Writes OUTPUT/eyeMap_*.jpg from a folder of img_*.jpg and a .wav. Decodes and resizes 16 pictures for each map.

    A DataLoader with a worker a core reads the clips, as is usual in PyTorch.
    """
    films = RawFilm(frames, sound, size)
    number = 0
    for clip, waveform in DataLoader(films, batch_size, num_workers=cores()):
        for saliency_map in _maps(network, clip, waveform):
            number += 1
            low, high = saliency_map.min(), saliency_map.max()
            picture = (255 * (saliency_map - low) / (high - low)).astype(np.uint8)
            Image.fromarray(picture).save(output / f"eyeMap_{number:05d}.jpg")


class RawFilm(Dataset):
    """The clips of a film, one for each frame: clip float32 [16, S, S, 3] minus the mean, and waveform [35280]."""

    def __init__(self, frames: Path, sound: Path, size: int):
        self.paths, self.size = sorted(frames.glob("img_*.jpg")), size
        self.sound, self.rate_hz = read_sound(sound)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, target: int) -> tuple[np.ndarray, np.ndarray]:
        indices = clip_frames(target, len(self.paths))
        clip = np.stack([resized_picture(self.paths[i], "RGB", self.size) for i in indices])
        waveform = windowed_excerpt(self.sound, self.rate_hz, FRAME_RATE_HZ, indices[0] + 1, indices[-1] + 1)
        return clip.astype(np.float32) - MEAN_RGB, waveform


def clip_frames(target: int, num_frames: int) -> np.ndarray:
    """Returns the 16 frames around a target, counted from 0. The first and last frame repeat beyond the film's ends."""
    return (target - FRAMES_BEFORE + np.arange(CLIP_FRAMES)).clip(0, num_frames - 1)


def _maps(network: TorchStavis, clip: torch.Tensor, waveform: torch.Tensor) -> np.ndarray:
    device = network.fuse.weight.device
    with torch.inference_mode():
        logits = network(clip.movedim(-1, 1).contiguous().to(device), waveform.to(device)).logits
        return logits.sigmoid().cpu().numpy()
