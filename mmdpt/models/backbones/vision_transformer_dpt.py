"""The plain Vision Transformer encoder of DPT (arXiv:2103.13413, section 3.1)."""

import math
from collections.abc import Sequence
from itertools import pairwise
from numbers import Integral
from typing import Any

import numpy as np
import torch
import torch.nn as nn
from mmengine.model import ModuleList
from mmpretrain.models.backbones import VisionTransformer
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from mmdpt.errors import InputError, check_choice
from mmdpt.registry import MODELS

from .lora import adapt
from .resnetv2 import patch_cfg_on_stem
from .vit_blocks import INTERPOLATIONS, EncoderLayer, PadToMultiple, resize_position_embedding

NUM_TAPS = 4
NUM_STEM_TAPS = 2
"""The hybrid's stem gives the taps of strides 4 and 8; the blocks give the others."""


@MODELS.register_module()
class VisionTransformerDPT(VisionTransformer):
    """Vision Transformer that hands out four of its blocks' outputs with their readout token.

    The image is padded at the bottom and right to a multiple of the patch; the position embedding
    is interpolated to the resulting grid. Blocks after the last tap are not built: they would be
    dead parameters.

    Args:
        arch: A name ('base', 'large', 'deit-tiny', 'deit-small', 'dinov2-small', 'dinov2-base',
            'dinov2-large', 'dinov2-giant' with ``layer_cfgs=dict(ffn_type='swiglu_fused')``, or
            another of mmpretrain's) or a dict with ``embed_dims``, ``num_layers``, ``num_heads``
            and ``feedforward_channels``.
        img_size: Image size [px] of the position embedding's own grid, one number or (H, W).
        patch_size: Patch side [px].
        out_indices: The four blocks to tap, 0-based, increasing; two with a stem.
        stem: Config of a convolutional network whose last map, of stride ``patch_size``, is
            embedded in place of image patches, and whose first two maps are the first two taps,
            without readout token: ``ResNetV2`` (DPT-Hybrid), or one of mmpretrain with three maps,
            such as ``mmpretrain.ResNet``. None: the plain ViT.
        norm_taps: Apply the final norm to every tap (DINOv2) or to none (DPT).
        interpolate_mode: How the position embedding is interpolated: 'bilinear' (DPT),
            'bilinear-antialias', 'bicubic', 'bicubic-offset' (DINOv2) or 'bicubic-antialias'
            (DINOv2 with registers), see ``resize_position_embedding``.
        num_register_tokens: Tokens without position that no tap hands out (arXiv:2309.16588).
        frozen_stages: Freeze the embeddings, the stem among them, and this many blocks; 0: the
            embeddings; -1: nothing.
        lora: ``rank`` and ``alpha`` (default: the rank) of low-rank updates of the attention, which
            alone train, see ``lora.py``. None: every parameter trains.
        with_cp: Recompute each block in the backward pass to save its activations.
        **kwargs: Further arguments of mmpretrain's ``VisionTransformer``: ``drop_path_rate``,
            ``drop_rate``, ``norm_cfg``, ``layer_scale_init_value``, ``with_cls_token``,
            ``patch_cfg``, ``layer_cfgs``, ``init_cfg``, ...

    Raises:
        ValueError: If ``arch`` is unknown, ``out_indices`` are not four (two) increasing blocks,
            ``interpolate_mode`` is unknown, ``frozen_stages`` exceeds the number of blocks or comes
            with ``lora``, LoRA's rank is not positive, or the stem's maps do not fit the patch.
    """

    arch_zoo = {
        **VisionTransformer.arch_zoo,
        'dinov2-base': VisionTransformer.arch_zoo['base'],
        'dinov2-large': VisionTransformer.arch_zoo['large'],
    }

    def __init__(
        self,
        arch: str | dict = 'base',
        img_size: int | Sequence[int] = 384,
        patch_size: int = 16,
        out_indices: Sequence[int] = (2, 5, 8, 11),
        stem: dict | None = None,
        norm_taps: bool = False,
        interpolate_mode: str = 'bilinear',
        num_register_tokens: int = 0,
        frozen_stages: int = -1,
        lora: dict | None = None,
        with_cp: bool = False,
        **kwargs: Any,
    ) -> None:
        settings = self._arch_settings(arch)
        num_taps = NUM_TAPS if stem is None else NUM_TAPS - NUM_STEM_TAPS
        check_out_indices(out_indices, settings['num_layers'], num_taps)
        num_layers = out_indices[-1] + 1
        if not -1 <= frozen_stages <= num_layers:
            raise ValueError(
                f'frozen_stages must lie in -1..{num_layers} (the blocks up to the last tap), '
                f'got {frozen_stages}'
            )
        check_choice('interpolate_mode', interpolate_mode, INTERPOLATIONS)
        if lora is not None and frozen_stages >= 0:
            raise ValueError(f'lora freezes all stages: leave out frozen_stages={frozen_stages}')
        built_stem = None if stem is None else MODELS.build(dict(stem, with_cp=with_cp))
        if built_stem is not None:
            on_stem = patch_cfg_on_stem(built_stem, img_size, patch_size)
            kwargs['patch_cfg'] = {**kwargs.get('patch_cfg', {}), **on_stem}
        super().__init__(
            arch={**settings, 'num_layers': 0},  # the layers are built below: ours
            img_size=img_size,
            patch_size=patch_size,
            out_indices=[],
            final_norm=norm_taps,
            out_type='featmap',
            interpolate_mode=interpolate_mode,
            frozen_stages=-1,  # below, when the stem is there; mmpretrain starts freezing at 1
            **kwargs,
        )
        self.arch_settings = {**settings, 'num_layers': num_layers}
        self.num_layers = num_layers
        self.out_indices = list(out_indices)
        self.layers = build_layers(self.arch_settings, **kwargs)
        self.stem = built_stem
        self.pad_to_patch = PadToMultiple(patch_size)
        self.patch_embed.adaptive_padding = None
        self.num_register_tokens = num_register_tokens
        self.register_tokens = None
        if num_register_tokens > 0:
            registers = torch.randn(1, num_register_tokens, self.embed_dims)
            self.register_tokens = nn.Parameter(1e-6 * registers)  # as DINOv2; zeros stay equal
        self.norm_taps = norm_taps
        self.with_cp = with_cp
        self._loading_initial_weights = False
        self.frozen_stages = frozen_stages
        if frozen_stages >= 0:
            self._freeze_stages()
        if lora is not None:
            adapt(self, **lora)

    def forward(self, x: Tensor) -> tuple[tuple[Tensor, Tensor | None], ...]:
        """Encode images.

        Args:
            x: Normalised images, (N, 3, H, W), any H and W.

        Returns:
            Four taps: feature map (N, C, h, w) with h = ceil(H / patch), a channels-last view of
            the tokens, and readout token (N, C), None without a class token. With a stem, the first
            two are its maps (N, C, 4 h, 4 w) and (N, C, 2 h, 2 w), without readout token.
        """
        taps: list[tuple[Tensor, Tensor | None]] = []
        x = self.pad_to_patch(x)  # a stem's maps of all strides then cover the same pixels
        if self.stem is not None:
            maps = self.stem(x)
            taps = [(feature, None) for feature in maps[:NUM_STEM_TAPS]]
            x = maps[-1]
        tokens, grid = self.patch_embed(x)
        if self.cls_token is not None:
            tokens = torch.cat((self.cls_token.expand(tokens.shape[0], -1, -1), tokens), dim=1)
        tokens = tokens + resize_position_embedding(
            self.pos_embed,
            self.patch_resolution,
            grid,
            mode=self.interpolate_mode,
            num_extra_tokens=self.num_extra_tokens,
        )
        if self.register_tokens is not None:
            readout = tokens[:, : self.num_extra_tokens]
            patches = tokens[:, self.num_extra_tokens :]
            registers = self.register_tokens.expand(tokens.shape[0], -1, -1)
            tokens = torch.cat((readout, registers, patches), dim=1)
        tokens = self.pre_norm(self.drop_after_pos(tokens))

        for index, layer in enumerate(self.layers):
            if self.with_cp and torch.is_grad_enabled():
                tokens = checkpoint(layer, tokens, use_reentrant=False)
            else:
                tokens = layer(tokens)
            if index in self.out_indices:
                taps.append(self._tap(tokens, grid))
        return tuple(taps)

    def _tap(self, tokens: Tensor, grid: tuple[int, int]) -> tuple[Tensor, Tensor | None]:
        """Split tokens (N, extra + h * w, C) into a feature map and the readout token."""
        if self.norm_taps:
            tokens = self.ln1(tokens)
        patches = tokens[:, self.num_extra_tokens + self.num_register_tokens :]
        feature = patches.unflatten(1, grid).permute(0, 3, 1, 2)
        return feature, tokens[:, 0] if self.cls_token is not None else None

    def train(self, mode: bool = True) -> 'VisionTransformerDPT':
        """Set the mode; frozen blocks stay in evaluation mode."""
        super().train(mode)
        if mode and self.frozen_stages >= 0:
            self._freeze_stages()
        return self

    def _freeze_stages(self) -> None:
        super()._freeze_stages()
        if self.register_tokens is not None:
            self.register_tokens.requires_grad_(False)
        if self.stem is not None:
            self.stem.eval()
            self.stem.requires_grad_(False)

    def get_layer_depth(self, param_name: str, prefix: str = '') -> tuple[int, int]:
        """Give a parameter's depth and the number of depths; stem and registers embed, too."""
        depth, num_depths = super().get_layer_depth(param_name, prefix)
        embeds = param_name.startswith((f'{prefix}stem.', f'{prefix}register_tokens'))
        return 0 if embeds else depth, num_depths

    def init_weights(self) -> None:
        """Initialise, or load ``init_cfg``'s checkpoint, whose position grid is taken as square."""
        self._loading_initial_weights = True
        super().init_weights()
        self._loading_initial_weights = False

    def _prepare_pos_embed(self, state_dict: dict, prefix: str, *args: Any, **kwargs: Any) -> None:
        """Interpolate a loaded position embedding from its grid to this model's.

        A file tells its number of patches, not its grid. mmpretrain keeps an embedding of the same
        number as it is, wrong for initial weights: 24 x 24 patches are not 18 x 32.
        """
        name = prefix + 'pos_embed'
        if name not in state_dict:
            return
        source, grid = state_dict[name], tuple(self.patch_resolution)
        if not self.with_cls_token and math.isqrt(source.shape[1] - 1) ** 2 == source.shape[1] - 1:
            source = source[:, 1:]  # a file with a class token, a model without
        num_patches = source.shape[1] - self.num_extra_tokens
        side = math.isqrt(num_patches)
        as_saved = num_patches == grid[0] * grid[1] and not self._loading_initial_weights
        if not as_saved and side * side == num_patches:
            source = resize_position_embedding(
                source, (side, side), grid, self.interpolate_mode, self.num_extra_tokens
            )
        elif num_patches != grid[0] * grid[1]:
            raise InputError(
                f'{name} holds {num_patches} patches, which is no square grid, and the model has '
                f'{grid[0]} x {grid[1]}: set img_size to the size that the file was trained with'
            )
        state_dict[name] = source

    @classmethod
    def _arch_settings(cls, arch: str | dict) -> dict:
        if isinstance(arch, dict):
            if unknown := arch.keys() - cls.arch_zoo['base']:
                raise ValueError(f'arch takes {list(cls.arch_zoo["base"])}, got {sorted(unknown)}')
            return arch
        if arch.lower() not in cls.arch_zoo:
            raise ValueError(f'arch must be a dict or one of {sorted(cls.arch_zoo)}, got {arch!r}')
        return cls.arch_zoo[arch.lower()]


def check_out_indices(
    out_indices: Sequence[int], num_layers: int, num_taps: int = NUM_TAPS
) -> None:
    """Raise ValueError unless these are ``num_taps`` increasing blocks of ``num_layers``."""
    valid = (
        len(out_indices) == num_taps
        and all(isinstance(i, Integral) and 0 <= i < num_layers for i in out_indices)
        and all(a < b for a, b in pairwise(out_indices))
    )
    if not valid:
        raise ValueError(
            f'out_indices must be {num_taps} increasing block numbers in 0..{num_layers - 1}, '
            f'got {tuple(out_indices)}'
        )


def build_layers(
    arch: dict,
    drop_rate: float = 0.0,
    drop_path_rate: float = 0.0,
    qkv_bias: bool = True,
    norm_cfg: dict | None = None,
    layer_scale_init_value: float = 0.0,
    layer_cfgs: dict | Sequence[dict] | None = None,
    **others: Any,
) -> ModuleList:
    """Build the layers from the arguments of mmpretrain's ``VisionTransformer``.

    Stochastic depth grows linearly up to ``drop_path_rate``. ``layer_cfgs`` has further arguments
    of ``EncoderLayer``, for all layers or one dict a layer. Other arguments are ignored.
    """
    number = arch['num_layers']
    cfgs = layer_cfgs if isinstance(layer_cfgs, Sequence) else [layer_cfgs or {}] * number
    shared = dict(
        embed_dims=arch['embed_dims'],
        num_heads=arch['num_heads'],
        feedforward_channels=arch['feedforward_channels'],
        drop_rate=drop_rate,
        qkv_bias=qkv_bias,
        norm_cfg=norm_cfg or dict(type='LN', eps=1e-6),
        layer_scale_init_value=layer_scale_init_value,
    )
    rates = np.linspace(0, drop_path_rate, number).tolist()
    return ModuleList(
        EncoderLayer(**{**shared, 'drop_path_rate': rate, **cfg})
        for rate, cfg in zip(rates, cfgs, strict=True)
    )
