"""Predict pictures in their own pixels, in one line of Python."""

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from mmseg.structures import SegDataSample

from mmdpt.errors import InputError
from mmdpt.models.decode_heads.depth_dpt_head import DepthDPTHead
from mmdpt.visualization.segmentation import classes_and_palette

from .backends import Backend, model_of_file
from .devices import Precision, store_weights_in, usable_device, usable_dtype
from .focal import Camera
from .images import ChannelOrder
from .metadata import depth_head_of, gives_normals, segments
from .model import init_model
from .packing import pack_weights
from .prediction import Prediction
from .preparation import Preparation
from .sources import find_images, is_single
from .steady import Steady
from .video import VideoReader, is_video, named_frames

MOST_OF_8_BIT = 255
"""Most classes of an 8-bit label map, in which 255 means an ignored pixel."""


class DPTInferencer:
    """Predict pictures with a model of mmdpt.

    The test pipeline of the model's config prepares the picture, see ``Preparation``, and the
    result is in the picture's own pixels. Several threads may share one inferencer. Its ``model``
    is for prediction alone: weights are stored as ``precision`` and the processor want them.

    Args:
        model: Name of a release or of a config, or path of a config, see ``init_model``.
        checkpoint: Path or address of the weights, see ``init_model``.
        device: Device of the model, such as 'cpu' or 'cuda:1'; None: CUDA if there is one.
        precision: Precision of the network: 'fp32', or 'bf16' or 'fp16' by autocast. The result is
            always resized to the picture in float32.
        compile: Compile encoder and heads when the first pictures come, for any size.
        cfg_options: Overrides of the config, 'key=value'.
        camera: Camera of all pictures, for models whose depth depends on it (``canonical_focal``)
            and for points in space. By default that of each file's EXIF, or the config's.
        backend: 'onnx' or 'openvino': the checkpoint is a file of ``export_model``, and that
            library computes the network, on the CPU; OpenVINO in any precision of that CPU.

    Raises:
        InputError: If model, checkpoint or device is not available, the device does not compute in
            the precision, or the exported file is not of this model.
        ValueError: If the precision is none of the three.
    """

    model: Any

    def __init__(
        self,
        model: str,
        checkpoint: str | None = None,
        device: str | None = None,
        precision: Precision = 'fp32',
        compile: bool = False,
        cfg_options: Sequence[str] = (),
        camera: Camera | None = None,
        backend: Backend = 'eager',
    ) -> None:
        self.camera = camera or Camera()
        self.device = usable_device(device or (None if backend == 'eager' else 'cpu'))
        self.dtype: torch.dtype | None = None
        if backend == 'eager':
            self.dtype = usable_dtype(precision, self.device)
            self.model = init_model(model, checkpoint, str(self.device), cfg_options)
            if self.dtype is not None:
                store_weights_in(self.dtype, self.model)
            if self.device.type == 'cpu' and not compile:
                pack_weights(self.model.backbone)
        elif compile or self.device.type != 'cpu':
            raise InputError(f'backend {backend} runs on the CPU and is not compiled')
        else:
            self.model = model_of_file(model, checkpoint, backend, precision, cfg_options)
        self.cfg = self.model.cfg
        self.pipeline = Preparation(self.cfg)
        head = self.model.decode_head
        self.segments, self.depth_head = segments(self.model), depth_head_of(self.model)
        self.gives_normals = gives_normals(self.model)
        if self.segments:
            self.classes, self.palette = classes_and_palette(
                self.model.dataset_meta, head.num_classes
            )
        if compile:
            parts = [self.model.backbone, head]
            if self.segments and self.depth_head is not None:
                parts.append(self.depth_head)
            for part in parts:  # their method, which mmseg's heads call without __call__
                name = 'with_sky' if isinstance(part, DepthDPTHead) else 'forward'
                setattr(part, name, torch.compile(getattr(part, name), dynamic=True))

    def __call__(
        self,
        inputs: Any,
        batch_size: int = 1,
        channel_order: ChannelOrder = 'rgb',
        steady: bool = False,
    ) -> Prediction | list[Prediction]:
        """Predict one picture or several.

        Args:
            inputs: Path of an image, folder, glob, https address, array, PIL image, tensor, or a
                list of these, see ``find_images``; or a video file.
            batch_size: Number of pictures that are read at a time. Those that have the same size
                when prepared are predicted together.
            channel_order: 'rgb' or 'bgr', for arrays and tensors.
            steady: Whether the inputs are frames of a video whose maps keep their scale and shift,
                see ``Steady``.

        Returns:
            The prediction for one picture; a list in order for a folder, glob, list, batch or
            video.

        Raises:
            InputError: If there is nothing to predict, a picture cannot be read, the input is a
                camera, which has no end, or labels alone should be steady.
            ValueError: If the batch size or channel order is wrong.
        """
        if is_video(inputs) and not os.path.exists(str(inputs)):
            raise InputError(f'{inputs} is no file; a camera has no end: use stream()')
        predictions = list(self.stream(inputs, batch_size, channel_order, steady))
        return predictions[0] if is_single(inputs) else predictions

    def stream(
        self,
        inputs: Any,
        batch_size: int = 1,
        channel_order: ChannelOrder = 'rgb',
        steady: bool = False,
    ) -> Iterator[Prediction]:
        """Predict pictures, or the frames of a video or camera, one by one in constant memory.

        The arguments are those of a call; ``inputs`` may also be the index of a camera.

        Raises:
            InputError: At once if there is nothing to predict; later at a picture that cannot be
                read.
            ValueError: If the batch size or channel order is wrong.
        """
        if batch_size < 1:
            raise ValueError(f'batch_size must be at least 1, got {batch_size}')
        if is_video(inputs):
            images = _frames(VideoReader(inputs), Path(str(inputs)).stem)
        else:
            pictures = find_images(inputs, channel_order)
            images = ((image.load(), image.name, image.source) for image in pictures)
        found = self._stream(images, batch_size)
        return map(Steady(), found) if steady else found

    def predict_images(
        self, images: Sequence[np.ndarray], names: Sequence[str], sources: Sequence[str] = ()
    ) -> list[Prediction]:
        """Predict images, (H, W, 3) uint8 RGB of any sizes, in their order; give them names.

        Those of equal prepared size are one batch. The sources are their files, whose EXIF may tell
        the focal length.

        Raises:
            InputError: If an image cannot be prepared, or its focal length is needed and not known.
        """
        default = None if self.depth_head is None else self.depth_head.focal
        cameras, focals, said = [], [], []
        for image, source in zip(images, sources or [''] * len(images), strict=True):
            height, width = image.shape[:2]
            camera, origin = self.camera.of_picture(width, height, source, default)
            focal = None if camera is None else (camera.fx + camera.fy) / 2
            cameras.append(camera)
            focals.append(focal)
            said.append(f'{focal:.4g} px ({origin})' if origin else '')
        done: dict[int, SegDataSample] = {}
        groups: dict[tuple[int, ...], dict[int, dict]] = {}
        for position, image in enumerate(images):
            packed = self.pipeline(image, names[position], focals[position])
            groups.setdefault(tuple(packed['inputs'].shape), {})[position] = packed
        for group in groups.values():
            batch = pseudo_collate([*group.values()])
            done.update(zip(group, self.forward(batch), strict=True))
        return [
            Prediction(
                image=image,
                name=names[position],
                camera=cameras[position],
                focal=said[position],
                predicted_size=done[position].get('img_shape'),
                **self._depth_of(done[position]),
                **self._labels_of(done[position]),
                own_normals=self._normals_of(done[position]),
            )
            for position, image in enumerate(images)
        ]

    def _stream(
        self, images: Iterator[tuple[np.ndarray, str, str]], batch_size: int
    ) -> Iterator[Prediction]:
        while chunk := list(islice(images, batch_size)):
            yield from self.predict_images(*zip(*chunk, strict=True))

    @torch.inference_mode()
    def forward(self, inputs: dict) -> list[SegDataSample]:
        """Predict a batch: ``pred_depth_map``, ``pred_sem_seg`` or ``pred_normals_map``."""
        data = self.model.data_preprocessor(inputs, False)
        samples = data['data_samples']
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype is not None):
            metas = [sample.metainfo for sample in samples]
            outputs = self.model.inference(data['inputs'], metas)
        return self.model.postprocess_result(outputs.float(), samples)

    def _depth_of(self, sample: SegDataSample) -> dict[str, Any]:
        if self.depth_head is None:
            return dict(map=None, output=None, unit='', is_metric=False)
        sky = sample.get('pred_sky_map')
        return dict(
            sky=None if sky is None else sky.data[0].cpu().numpy(),
            map=sample.pred_depth_map.data[0].cpu().numpy(),
            output=self.depth_head.output,
            unit=self.depth_head.unit,
            is_metric=self.depth_head.is_metric,
        )

    def _labels_of(self, sample: SegDataSample) -> dict[str, Any]:
        if not self.segments:
            return dict(labels=None, classes=(), palette=())
        labels = sample.pred_sem_seg.data[0].cpu().numpy()
        dtype = np.uint8 if len(self.classes) <= MOST_OF_8_BIT else np.uint16
        return dict(labels=labels.astype(dtype), classes=self.classes, palette=self.palette)

    def _normals_of(self, sample: SegDataSample) -> np.ndarray | None:
        if not self.gives_normals:
            return None
        return sample.pred_normals_map.data.permute(1, 2, 0).contiguous().cpu().numpy()


def _frames(reader: VideoReader, stem: str) -> Iterator[tuple[np.ndarray, str, str]]:
    with reader:
        yield from ((frame.pixels, name, '') for frame, name in named_frames(reader, stem))
