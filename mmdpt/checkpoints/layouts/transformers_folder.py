"""A folder that transformers loads: config.json, weights and image processor."""

import json
from pathlib import Path
from typing import Any

from mmdpt.checkpoints.convert import Report, task_of, to_foreign
from mmdpt.errors import InputError
from mmdpt.models.backbones.lora import merge_updates

from .layout import StateDict
from .transformers_configs import PLAIN, Kind, kind_of, settings_of

BICUBIC = 3
"""PIL's number, which image processors store."""
TASKS = {
    'depth': 'DepthEstimation',
    'segmentation': 'SemanticSegmentation',
    'normals': 'NormalEstimation',
}


def write_folder(model: Any, state_dict: StateDict, folder: Path) -> Report:
    """Write config.json, model.safetensors and preprocessor_config.json into an empty folder.

    The model's modules say what its tensors do not; ``dataset_meta`` names the classes. Updates of
    LoRA are folded in.

    Raises:
        InputError: If transformers has no such model. It names the setting.
    """
    from safetensors.torch import save_file

    state_dict = merge_updates(model, state_dict)
    describe = kind_of(model)
    tensors, report = to_foreign(state_dict, 'huggingface')
    kind, task = describe(model), task_of(state_dict)
    _check(model, kind)
    config = dict(kind.config, architectures=[f'{kind.cls}For{TASKS[task]}'])
    if task == 'segmentation':
        config |= _classes(model)
    if 'backbone_out_indices' in config and task == 'segmentation':
        config |= _auxiliary(model, state_dict)
    tensors = {key: value.contiguous() for key, value in tensors.items()}
    save_file(tensors, folder / 'model.safetensors', metadata={'format': 'pt'})
    _write(folder / 'config.json', config)
    _write(folder / 'preprocessor_config.json', _preprocessing(model, kind))
    report.settings = _lost(model)
    return report


def _check(model: Any, kind: Kind) -> None:
    """Refuse settings that the model of transformers does not have."""
    rules = ('path', 'skip') if kind.even_grids else (kind.resized,)  # the same on even grids
    allowed = {**PLAIN, 'decode_head.resized': rules, **kind.has}
    size = model.backbone.img_size
    wrong = [
        f'{name}={value!r}'
        for name, value in settings_of(model).items()
        if value not in allowed.get(name, (value,))
    ]
    if len({*size}) > 1:
        wrong += [f'position embedding of {size}, not square']
    if wrong:
        raise InputError(
            f"transformers' {kind.name} has no {', '.join(wrong)}: its numbers would differ"
        )


def _preprocessing(model: Any, kind: Kind) -> dict[str, Any]:
    """Give the content of preprocessor_config.json.

    DPT's processor squeezes images to a square of the pretraining size. Where a kind keeps the
    ratio, the side that changes the image less gets the size, and both are made whole multiples;
    ``ResizeAsTransformers`` does the same here.
    """
    height, width = model.backbone.img_size
    return {
        'image_processor_type': 'DPTImageProcessor',
        'do_resize': True,
        'size': {'height': height, 'width': width},
        'keep_aspect_ratio': False,
        'ensure_multiple_of': 1,
        'resample': BICUBIC,
        'do_rescale': True,
        'rescale_factor': 1 / 255,
        'do_normalize': True,
        'image_mean': [v / 255 for v in model.data_preprocessor.mean.flatten().tolist()],
        'image_std': [v / 255 for v in model.data_preprocessor.std.flatten().tolist()],
        'do_pad': False,
        **kind.processor,
    }


def _classes(model: Any) -> dict[str, Any]:
    meta = getattr(model, 'dataset_meta', None) or {}
    names = meta.get('classes') or [f'LABEL_{i}' for i in range(model.decode_head.num_classes)]
    return {
        'id2label': {str(i): name for i, name in enumerate(names)},
        'label2id': {name: i for i, name in enumerate(names)},
        'semantic_loss_ignore_index': model.decode_head.ignore_index,
    }


def _auxiliary(model: Any, state_dict: StateDict) -> dict[str, Any]:
    head = model.decode_head
    return {
        'use_auxiliary_head': any(key.startswith('decode_head.auxiliary.') for key in state_dict),
        'auxiliary_loss_weight': float(head.auxiliary_weight),
        'semantic_classifier_dropout': head.dropout.p,
    }


def _lost(model: Any) -> str:
    lost, head = [], model.decode_head
    low, high = getattr(head, 'clamp', (None, None))
    if low is not None or high is not None:
        lost.append(f'clamp the depth to {low}..{high} yourself: transformers does not')
    least = getattr(head, 'parametrised', {}).get('min_depth')
    if least is not None:
        lost.append(f'add {least} to the depth yourself: transformers does not')
    if getattr(model.backbone, 'interpolate_mode', None) == 'bicubic-offset':
        lost.append(
            f'images of {model.backbone.img_size} pixels; at other sizes transformers interpolates '
            'the position embedding without the 0.1 offset'
        )
    return '; '.join(lost)


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + '\n')
