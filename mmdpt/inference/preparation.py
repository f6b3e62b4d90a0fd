"""Prepare an image in memory as the images were that its model was trained on."""

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
"""Crops of a benchmark's protocol: they would cut the border off other pictures."""


class Preparation:
    """Apply the steps of a model's config to an image in memory.

    The steps are the config's ``predict_pipeline``, or else the pipeline of its test data, without
    loading images, loading ground truth and crops of a benchmark.

    Raises:
        InputError: If the config has no such steps, or the first does not read an image file.
    """

    def __init__(self, cfg: Config) -> None:
        steps = picture_pipeline(cfg)
        if not steps:
            raise InputError(
                f'config {cfg.filename} does not say how an image is prepared: it has neither '
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

    def __call__(
        self, image: np.ndarray, name: str, focal: float | None = None
    ) -> dict[str, torch.Tensor | SegDataSample]:
        """Prepare one image, (H, W, 3) uint8 RGB; its name is for errors, and its ``img_path``.

        The focal length is in pixels of the image, None if it is not known. Gives ``inputs``,
        (3, H', W') BGR for the data preprocessor, and ``data_samples``, with ``ori_shape`` (H, W).

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
        if focal is not None:
            results['focal'] = focal
        try:
            return self.steps(results)
        except cv2.error as error:  # for example, a side of 5000 x 1 px becomes 0
            raise InputError(
                f'cannot prepare image {name} of {size[1]} x {size[0]} px for the model: {error}'
            ) from error


def picture_pipeline(cfg: Config) -> list[dict]:
    """Give a config's steps for a picture, with those for ground truth and protocol crops."""
    if cfg.get('predict_pipeline'):
        return cfg.predict_pipeline
    dataset = (cfg.get('test_dataloader') or {}).get('dataset') or {}
    while 'pipeline' not in dataset and 'dataset' in dataset:
        dataset = dataset['dataset']
    return dataset.get('pipeline') or []
