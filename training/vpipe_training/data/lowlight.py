# SPDX-License-Identifier: Apache-2.0
"""Training clips for low light: clean crops, degraded on the fly, with the flow that the network will see."""
import cv2
import numpy as np
from torch.utils.data import Dataset

from .degrade import Exposure, degrade
from .flow import Flow
from .video import PHOTOS, VIDEOS, crop_video, files, pan_photo, read_photo, read_video


class LowLightClips(Dataset):
    """Sample `(index, progress)` is a function of the seed and the index alone; difficulty widens with progress.

    Gives float32 `input` and `target` [T, 3, H, W], `flow` [T, 2, H, W] (to the frame before, from the noisy input)
    and, with `clean_flow`, the same from the target.
    """

    def __init__(self, videos, photos, frames, size, seed, clean_flow=False, photo_share=0.25):
        self.videos = [v for v in videos if len(v) >= frames and min(v.shape[1:3]) >= size]
        self.photos = [p for p in photos if min(p.shape[:2]) >= 64]
        self.frames, self.size, self.seed, self.clean_flow = frames, size, seed, clean_flow
        self.photo_share = photo_share if self.photos and self.videos else float(not self.videos)
        if not self.videos and not self.photos:
            raise ValueError(f"no video of {frames} frames with sides of {size} px, and no photograph")
        self.flow = None

    @classmethod
    def load(cls, folders, exclude=(), height=360, limit=None, **settings):
        """Reads everything below `folders` into memory; `exclude` names files to leave out."""
        kept = [f for folder in folders for f in files(folder, VIDEOS + PHOTOS)
                if not any(name in f for name in exclude)]
        videos = [read_video(f, height, count=limit) for f in kept if f.lower().endswith(VIDEOS)]
        photos = [read_photo(f) for f in kept if f.lower().endswith(PHOTOS)]
        return cls(videos, photos, **settings)

    def __len__(self):
        return 1 << 40

    def __getitem__(self, key):
        index, progress = key
        rng = np.random.default_rng([self.seed, index])
        if self.flow is None:  # Not before the worker process exists: the object cannot be sent to one.
            cv2.setNumThreads(1)
            self.flow = Flow()
        if rng.random() < self.photo_share:
            clean = pan_photo(self.photos[rng.integers(len(self.photos))], rng, self.frames, self.size)
        else:
            clean = crop_video(self.videos[rng.integers(len(self.videos))], rng, self.frames, self.size)
        noisy, target = degrade(clean, rng, Exposure.draw(rng, hardness=min(1.0, 1.5 * progress)))
        sample = {"input": _channels_first(noisy), "target": _channels_first(target), "flow": self._flows(noisy)}
        if self.clean_flow:
            sample["clean_flow"] = self._flows(target, 0.6, False)
        return sample

    def _flows(self, clip, *how):
        still = np.zeros((2, self.size, self.size), np.float32)
        return np.stack([still] + [self.flow(b, a, *how) for a, b in zip(clip, clip[1:])]).astype(np.float32)


def _channels_first(clip):
    return np.ascontiguousarray(clip.transpose(0, 3, 1, 2), np.float32)
