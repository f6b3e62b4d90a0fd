"""Any encoder of timm (pytorch-image-models) as the backbone of a DPT head."""

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseModule
from torch import Tensor

from mmdpt.errors import InputError
from mmdpt.registry import MODELS

from .lora import adapt
from .timm_models import arguments, check_taps, create_model, head_cfg, set_grid
from .vit_blocks import PadToMultiple

OWN_WEIGHTS = 'timm://'
"""As a checkpoint: the weights that timm publishes for the model."""


@MODELS.register_module()
class TimmDPTBackbone(BaseModule):
    """An encoder of timm that hands out taps, with their readout token where it has one.

    A plain network (ViT, DINOv3, EVA-02, BEiT) has one stride, and its taps are blocks. A
    hierarchical one (ConvNeXt, Swin, Hiera) has strides from 2 or 4 on, and its taps are stages.
    Images are padded at the bottom and right to a multiple of the patch, or of the greatest
    stride. What comes after the last tap is not built. mmpretrain's ``TIMMBackbone`` has the same
    names of parameters, but no readout token and images of one size.

    Args:
        model_name: Name of a model of timm, with or without the tag of its weights:
            'vit_base_patch16_dinov3_qkvb.lvd1689m', 'convnext_base'.
        out_indices: Blocks or stages to tap, 0-based, increasing. None: four blocks at equal
            distances, or the last four stages.
        norm_taps: Apply the final norm: to every tap of a plain network (DINOv2, DINOv3), to the
            last stage of a hierarchical one.
        img_size: Image size [px] that position embedding and windows are made for, one number or
            (H, W). None: timm's. Swin trains best with the size of the training images.
        drop_path_rate: Greatest share of images for which training skips a branch.
        frozen_stages: Freeze the embeddings and this many blocks or stages; 0: the embeddings; -1:
            nothing.
        lora: As in ``VisionTransformerDPT``.
        with_cp: Recompute each block in the backward pass to save its activations.
        model_args: Further arguments of ``timm.create_model``.
        init_cfg: ``dict(type='Pretrained', checkpoint=...)``; 'timm://' stands for the weights that
            timm publishes for the model.

    Attributes:
        head_cfg: Arguments of ``DPTDecoder`` that follow from the encoder.
        mean: Mean of the pixels [0..255, RGB] that the published weights were trained with.
        std: Their deviation.

    Raises:
        InputError: If timm is not installed, has no such model, or cannot build it so.
        ValueError: If ``out_indices`` are no increasing blocks or stages, ``frozen_stages`` exceeds
            their number or comes with ``lora``, or LoRA finds no attention.
    """

    def __init__(
        self,
        model_name: str,
        out_indices: Sequence[int] | None = None,
        norm_taps: bool = False,
        img_size: int | Sequence[int] | None = None,
        drop_path_rate: float = 0.0,
        frozen_stages: int = -1,
        lora: dict | None = None,
        with_cp: bool = False,
        model_args: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        args = dict(model_args or {})
        if drop_path_rate > 0:
            args['drop_path_rate'] = drop_path_rate
        if img_size is not None:
            args['img_size'] = img_size if isinstance(img_size, int) else tuple(img_size)
        self.model_name, self.model_args = model_name, args
        self.timm_model = create_model(model_name, args)
        info = self.timm_model.feature_info
        self.out_indices = check_taps(out_indices, [stage['reduction'] for stage in info])
        strides = [info[index]['reduction'] for index in self.out_indices]
        channels = [info[index]['num_chs'] for index in self.out_indices]
        self.pad_to_patch = PadToMultiple(max(strides))
        self.timm_model.prune_intermediate_layers(
            self.out_indices, prune_norm=not norm_taps, prune_head=True
        )
        self.norm_taps = norm_taps
        self.forward_args: dict[str, Any] = dict(norm=True) if norm_taps else {}
        self.num_prefix_tokens, self.has_readout = 0, False
        self.gives_tokens = 'return_prefix_tokens' in arguments(self.timm_model)
        if self.gives_tokens:
            self.forward_args['output_fmt'] = 'NLC'
            self.num_prefix_tokens = self.timm_model.num_prefix_tokens
        if self.num_prefix_tokens > 0:
            self.forward_args['return_prefix_tokens'] = True
            self.has_readout = getattr(self.timm_model, 'cls_token', None) is not None
        self.head_cfg = head_cfg(channels, strides, self.has_readout)
        cfg = self.timm_model.pretrained_cfg
        size = cfg['input_size'][1:] if img_size is None else img_size
        self.img_size = (size, size) if isinstance(size, int) else tuple(size)
        # LeViT: strides to 64, and 224 px alone
        self.own_size_is_odd = any(side % max(strides) for side in self.img_size)
        self.mean, self.std = ([255 * value for value in cfg[key]] for key in ('mean', 'std'))
        if with_cp:
            self.timm_model.set_grad_checkpointing(True)
        if lora is not None and frozen_stages >= 0:
            raise ValueError(f'lora freezes all stages: leave out frozen_stages={frozen_stages}')
        if lora is not None:
            for module in self.timm_model.modules():
                if hasattr(module, 'qkv_bias_separate'):
                    module.qkv_bias_separate = True  # else the weight is used without its update
            adapt(self, **lora)
        self.frozen_stages = frozen_stages
        if frozen_stages >= 0:
            self._freeze()

    def forward(self, x: Tensor) -> tuple[tuple[Tensor, Tensor | None], ...]:
        """Encode images.

        Args:
            x: Normalised images, (N, 3, H, W).

        Returns:
            Taps: feature map (N, C, h, w) with h = ceil(H / stride), after padding to the greatest
            stride; and readout token (N, C), or None.

        Raises:
            InputError: If the model takes images of one size alone, and this is another.
        """
        if not (self.own_size_is_odd and tuple(x.shape[-2:]) == self.img_size):
            x = self.pad_to_patch(x)
        patch = self.pad_to_patch.multiple
        grid = (x.shape[-2] // patch, x.shape[-1] // patch)
        set_grid(self.timm_model, grid)
        try:
            taps = self.timm_model.forward_intermediates(
                x, indices=self.out_indices, intermediates_only=True, **self.forward_args
            )
        except (AssertionError, RuntimeError) as error:
            if isinstance(error, torch.OutOfMemoryError) or x.shape[-2:] == self.img_size:
                raise
            raise InputError(
                f'{self.model_name} of timm cannot encode images of {tuple(x.shape[-2:])} px, only '
                f'of its own {self.img_size}, which backbone.img_size may set ({error})'
            ) from error
        if not self.gives_tokens:
            self._check_cover(taps[0], x)
            return tuple((feature, None) for feature in taps)
        if self.num_prefix_tokens == 0:
            return tuple((as_map(tokens, grid), None) for tokens in taps)
        return tuple(
            (as_map(tokens, grid), prefix[:, 0] if self.has_readout else None)
            for tokens, prefix in taps
        )

    def _check_cover(self, feature: Tensor, x: Tensor) -> None:
        """Raise InputError if the finest map has not the stride that the head is built for."""
        if torch.compiler.is_compiling() or torch.jit.is_tracing():
            return
        stride, size = self.head_cfg['patch_size'], tuple(feature.shape[-2:])
        if size != tuple(-(-side // stride) for side in x.shape[-2:]):
            raise InputError(
                f'{self.model_name} of timm makes maps of {size}, not the stride {stride} that it '
                f'names, of {tuple(x.shape[-2:])} px'
            )

    def init_weights(self) -> None:
        """Load ``init_cfg``'s checkpoint; without one, the model stays as timm initialised it."""
        if self.init_cfg:
            super().init_weights()

    def own_names(self, state_dict: dict[str, Tensor]) -> dict[str, Tensor]:
        """Bring a file of timm, one that timm converts, or one of ours under this module's names.

        timm resizes position embedding, patches and relative positions to this model's.

        Raises:
            InputError: If the file has biases of query and value that the model lacks.
        """
        prefix, own = 'timm_model.', self.state_dict()
        if any(prefix in key for key in state_dict):
            state_dict = {key.removeprefix('backbone.'): v for key, v in state_dict.items()}
        else:
            module = inspect.getmodule(type(self.timm_model))
            convert = getattr(module, 'checkpoint_filter_fn', None)
            if convert is not None:
                with torch.device('meta'):  # with all its layers, and no memory
                    whole = create_model(self.model_name, self.model_args)
                state_dict = convert(state_dict, whole)
            state_dict = {prefix + key: value for key, value in state_dict.items()}
        for key, value in state_dict.items():
            if key.endswith('.attn.q_bias') and key not in own and value.any():
                raise InputError(
                    f'{key} is not zero, and {self.model_name} has none: DINOv3 needs a '
                    'model_name that ends in _qkvb'
                )
        return state_dict

    def train(self, mode: bool = True) -> 'TimmDPTBackbone':
        """Set the mode; frozen blocks stay in evaluation mode."""
        super().train(mode)
        if mode and self.frozen_stages >= 0:
            self._freeze()
        return self

    def _freeze(self) -> None:
        depths = self._depths(coarse=True)
        number = max(depths.values())
        if self.frozen_stages > number:
            raise ValueError(
                f'frozen_stages must lie in -1..{number} (the blocks or stages up to the last '
                f'tap), got {self.frozen_stages}'
            )
        for name, parameter in self.timm_model.named_parameters():
            if depths.get(name, number) <= self.frozen_stages:
                parameter.requires_grad_(False)
        for module in self.timm_model.modules():
            parameters = list(module.parameters())
            if parameters and not any(parameter.requires_grad for parameter in parameters):
                module.eval()

    def get_layer_depth(self, param_name: str, prefix: str = '') -> tuple[int, int]:
        """Give a parameter's depth and the number of depths; the final norm is as deep as heads."""
        depths = self._depths()
        num_depths = max(depths.values()) + 2
        name = param_name.removeprefix(f'{prefix}timm_model.')
        return depths.get(name, num_depths - 1), num_depths

    def _depths(self, coarse: bool = False) -> dict[str, int]:
        """Number timm's groups of parameters: 0 the embeddings, then blocks; no final norm."""
        from timm.models import group_parameters

        matcher = self.timm_model.group_matcher(coarse=coarse)
        groups = group_parameters(self.timm_model, matcher, reverse=True)
        final = ('norm.', 'norm_pre.', 'fc_norm.')
        groups = {name: depth for name, depth in groups.items() if not name.startswith(final)}
        embeds = [name for name in groups if name.endswith(('_token', 'pos_embed'))]
        return {**groups, **dict.fromkeys(embeds, 0)}


def as_map(tokens: Tensor, grid: tuple[int, int]) -> Tensor:
    """View tokens (N, h * w, C) as a feature map (N, C, h, w)."""
    return tokens.unflatten(1, grid).permute(0, 3, 1, 2)
