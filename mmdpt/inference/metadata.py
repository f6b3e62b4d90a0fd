"""The metadata with which an exported file can be used without its config."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from mmseg.models import BaseSegmentor

from mmdpt.models.decode_heads.depth_dpt_head import DepthDPTHead
from mmdpt.models.decode_heads.normals_dpt_head import NormalsDPTHead
from mmdpt.version import __version__

from .preparation import picture_pipeline

FILE = 'mmdpt.json'
"""Name of the metadata inside files that have no place of their own for it."""
AXES = 'x right, y down, z forward'
"""Of normals, which point to the camera's side."""
INPUT, LOGITS, SKY, NORMALS = 'image', 'logits', 'sky', 'normals'


def depth_head_of(model: BaseSegmentor) -> DepthDPTHead | None:
    """Return the head that predicts depth, or None if the model only segments."""
    head = getattr(model, 'depth_head', model.decode_head)
    return head if isinstance(head, DepthDPTHead) else None


def segments(model: BaseSegmentor) -> bool:
    """Whether a model gives class logits."""
    return not isinstance(model.decode_head, DepthDPTHead | NormalsDPTHead)


def gives_normals(model: BaseSegmentor) -> bool:
    """Whether a model predicts surface normals."""
    return isinstance(model.decode_head, NormalsDPTHead)


def output_names(model: BaseSegmentor) -> list[str]:
    """Name the outputs: 'logits'; 'normals'; 'relative', 'disparity' or 'depth'; 'sky'."""
    names, head = [LOGITS] * segments(model), depth_head_of(model)
    names += [NORMALS] * gives_normals(model)
    if head is not None:
        names += [head.output] + [SKY] * (head.predictor.sky is not None)
    return names


def describe(model: BaseSegmentor) -> dict[str, Any]:
    """Describe the input and the outputs of a model that ``init_model`` gave.

    Returns:
        Values that JSON can hold. Every model has ``channel_order``, ``mean`` and ``std`` (for
        values 0..255, in that order), ``resize`` (see ``resize_rule``), ``outputs`` (their
        names), ``inference`` (the mode of test_cfg; the caller cuts the windows of 'slide') and
        versions. Depth adds ``output``, ``unit``, ``is_metric``, ``resize_back`` and, if the caller
        multiplies it by the camera's focal length over that, ``canonical_focal`` [px]. Segmentation
        adds ``classes``, and ``threshold`` where there is a single logit. Normals add ``axes``.
    """
    return dict(
        mmdpt_version=__version__,
        torch_version=torch.__version__,
        **_normalisation(model),
        resize=resize_rule(picture_pipeline(model.cfg)),
        outputs=output_names(model),
        inference=_inference(model.test_cfg or {}),
        **_segmentation(model),
        **_depth(model),
        **(dict(axes=AXES) if gives_normals(model) else {}),
    )


def as_strings(metadata: Mapping[str, Any]) -> dict[str, str]:
    """Turn every value that is not a string into JSON."""
    return {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in metadata.items()
    }


def resize_rule(pipeline: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Tell how a pipeline resizes a picture. Crops that benchmarks make are left out.

    Returns:
        - ``rule``: 'none', 'stretch' (to ``size``), 'keep_ratio' (as mmcv: as large as fits into
          the longer and the shorter number of ``size``), 'factor' (by ``factor``), or 'minimal',
          'lower_bound', 'upper_bound' (see mmdpt's ``fit_size``);
        - ``size``: width and height [px];
        - ``multiple``: both sides are multiples of it;
        - ``interpolation`` and ``antialias``;
        - ``dtype``: type of the pixels that are resized; uint8 clips the overshoot of bicubic.
    """
    rule: dict[str, Any] = dict(rule='none', dtype='uint8')
    for step in pipeline:
        kind = step['type']
        if kind == 'LoadImageFromFile' and step.get('to_float32', False):
            rule['dtype'] = 'float32'
        elif kind == 'ResizeDepth':
            rule.update(
                rule=step.get('method', 'minimal'),
                size=_pair(step.get('scale', 384)),
                multiple=step.get('multiple', 32),
                interpolation='bicubic',
                antialias=False,
            )
        elif kind == 'ResizeAsTransformers':
            rule.update(
                rule='minimal' if step.get('keep_ratio', False) else 'stretch',
                size=_pair(step['size']),
                multiple=step.get('multiple', 1),
                interpolation='bicubic',
                antialias=True,
            )
        elif kind == 'Resize':
            rule.update(_mmcv_resize(step))
    return rule


def _mmcv_resize(step: Mapping[str, Any]) -> dict[str, Any]:
    how = dict(multiple=1, interpolation=step.get('interpolation', 'bilinear'), antialias=False)
    if step.get('scale') is None:
        return dict(rule='factor', factor=step['scale_factor'], **how)
    rule = 'keep_ratio' if step.get('keep_ratio', False) else 'stretch'
    return dict(rule=rule, size=_pair(step['scale']), **how)


def _pair(size: Any) -> list[int]:
    return [size, size] if isinstance(size, int) else list(size)


def _normalisation(model: BaseSegmentor) -> dict[str, Any]:
    settings = model.cfg.model.data_preprocessor
    swaps = settings.get('bgr_to_rgb', False) or settings.get('rgb_to_bgr', False)
    return dict(
        channel_order='RGB' if swaps else 'BGR',  # OpenCV loads BGR
        mean=[float(value) for value in settings.get('mean') or [0] * 3],
        std=[float(value) for value in settings.get('std') or [1] * 3],
    )


def _inference(test_cfg: Mapping[str, Any]) -> dict[str, Any]:
    mode = test_cfg.get('mode', 'whole')
    if mode != 'slide':
        return dict(mode=mode)
    return dict(mode=mode, **{key: list(test_cfg[key]) for key in ('crop_size', 'stride')})


def _segmentation(model: BaseSegmentor) -> dict[str, Any]:
    if not segments(model):
        return {}
    described = dict(classes=list((model.dataset_meta or {}).get('classes') or ()))
    if model.decode_head.out_channels == 1:
        described['threshold'] = model.decode_head.threshold
    return described


def _depth(model: BaseSegmentor) -> dict[str, Any]:
    head = depth_head_of(model)
    if head is None:
        return {}
    test_cfg = model.test_cfg or {}
    resize_back = dict(
        interpolation=test_cfg.get('resize_mode', 'bilinear'),
        align_corners=test_cfg.get('resize_align_corners', head.align_corners),
        clamp=list(head.clamp),
    )
    said = dict(
        output=head.output, unit=head.unit, is_metric=head.is_metric, resize_back=resize_back
    )
    if head.canonical_focal is not None:
        said['canonical_focal'] = head.canonical_focal
    return said
