"""An image in memory becomes what its model was trained on."""

from typing import Any

import cv2
import numpy as np
import torch
from mmcv.transforms import LoadAnnotations as MMCVLoadAnnotations
from mmcv.transforms import LoadImageFromFile as MMCVLoadImageFromFile
from mmengine.config import Config
from mmengine.dataset import Compose
from mmseg.datasets.transforms import LoadDepthAnnotation
from mmseg.structures import SegDataSample

from mmdpt.datasets.transforms import KBCrop, LoadDepth, NYUCrop
from mmdpt.errors import InputError
from mmdpt.registry import TRANSFORMS

GROUND_TRUTH = (MMCVLoadAnnotations, LoadDepth, LoadDepthAnnotation)
PROTOCOL_CROPS = (KBCrop, NYUCrop)
"""Of a data set's benchmark: another picture's border is part of it."""


class Preparation:
    """Apply the steps of a config to an image in memory.

    The steps are ``predict_pipeline``, where the config has one, or else those of the test data.
    Loading is replaced; ground truth is not looked for, and crops of a benchmark are left out.

    Args:
        cfg: The config of a model.

    Raises:
        InputError: If the config has no such steps, or they do not begin by reading an image file.
    """

    def __init__(self, cfg: Config) -> None:
        steps = picture_pipeline(cfg)
        if not steps:
            raise InputError(
                f'config {cfg.filename} says nowhere how an image is prepared: it has neither '
                'predict_pipeline nor test_dataloader.dataset.pipeline'
            )
        transforms = [TRANSFORMS.build(step) for step in steps]
        loader = transforms.pop(0)
        if not isinstance(loader, MMCVLoadImageFromFile):
            raise InputError(
                f'the test pipeline of config {cfg.filename} must begin with LoadImageFromFile, '
                f'not with {type(loader).__name__}, to predict pictures'
            )
        self.to_float32 = loader.to_float32
        self.steps = Compose(
            [t for t in transforms if not isinstance(t, (*GROUND_TRUTH, *PROTOCOL_CROPS))]
        )

    def __call__(self, image: np.ndarray, name: str) -> dict[str, torch.Tensor | SegDataSample]:
        """Prepare one image.

        Args:
            image: (H, W, 3) uint8 RGB.
            name: What errors call it, and ``img_path`` of the sample.

        Returns:
            ``inputs``, (3, H', W') BGR for the data preprocessor, and ``data_samples``, whose
            ``ori_shape`` is (H, W).

        Raises:
            InputError: If a step cannot be applied to the image.
        """
        pixels = np.ascontiguousarray(image[..., ::-1])
        size = image.shape[:2]
        results: dict[str, Any] = dict(
            img=pixels.astype(np.float32) if self.to_float32 else pixels,
            img_path=name,
            img_shape=size,
            ori_shape=size,
            seg_fields=[],
        )
        try:
            return self.steps(results)
        except cv2.error as error:  # such as a side of no pixel, of a line of 5000 x 1
            raise InputError(
                f'cannot prepare image {name} of {size[1]} x {size[0]} px for the model: {error}'
            ) from error


def picture_pipeline(cfg: Config) -> list[dict]:
    """Give a config's steps for a picture, ground truth and protocol crops among them."""
    if cfg.get('predict_pipeline'):
        return cfg.predict_pipeline
    dataset = (cfg.get('test_dataloader') or {}).get('dataset') or {}
    while 'pipeline' not in dataset and 'dataset' in dataset:
        dataset = dataset['dataset']
    return dataset.get('pipeline') or []
