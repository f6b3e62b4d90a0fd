"""Which patches a patch attends to (arXiv:2103.13413, attention maps of the appendix)."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import cv2
import numpy as np
import torch
from mmpretrain.models.utils import MultiheadAttention
from mmseg.models.segmentors import BaseSegmentor
from torch import Tensor

from mmdpt.errors import InputError
from mmdpt.models.backbones.vision_transformer_dpt import VisionTransformerDPT
from mmdpt.visualization.depth import colour_bar, colourise_depth
from mmdpt.visualization.samples import stack_panels
from mmdpt.visualization.tiling import below, beside

from .preparation import Preparation

WIDTH = 360
"""Width of a column [px]: captions fit, and a row of four layers fits on a screen."""

COLOURS = 'viridis'
OPACITY = 0.75

Query = tuple[int, int] | Literal['readout']
"""Column and row of a pixel of the image, or the readout token."""


class Attention(NamedTuple):
    """How a query's attention, which sums to 1, is spread in a layer.

    Attributes:
        layer: Index of the layer, from 0.
        query: The pixel or token that attends.
        head: Index of the head, from 0; None: the mean over heads.
        patches: Share of each patch, (h, w) float32.
        extent: Height and width of the image in patches, at most (h, w); the rest is padding.
        readout: Share of the readout token, 0 if there is none.
        registers: Share of the register tokens.
    """

    layer: int
    query: Query
    head: int | None
    patches: np.ndarray
    extent: tuple[float, float]
    readout: float
    registers: float


def attention_weights(attention: MultiheadAttention, tokens: Tensor, rows: Sequence[int]) -> Tensor:
    """Compute softmax(Q K^T / sqrt(C)), which the fused kernel does not give.

    Of a layer's input ``tokens``, (N, tokens, C), those of the indices ``rows`` are the queries:
    large images do not fit all at once. Gives (N, heads, rows, tokens) float32; each row sums to 1.
    """
    qkv = attention.qkv(tokens).unflatten(-1, (3, attention.num_heads, attention.head_dims))
    query, key, _ = qkv.float().permute(2, 0, 3, 1, 4)
    logits = query[:, :, list(rows)] @ key.transpose(-2, -1)
    return (logits * attention.head_dims**-0.5).softmax(dim=-1)


@torch.no_grad()
def read_attention(
    model: BaseSegmentor,
    image: np.ndarray,
    layers: Sequence[int] | None = None,
    queries: Sequence[Query] | None = None,
    head: int | None = None,
    name: str = 'the image',
) -> list[list[Attention]]:
    """Give the attention of pixels or of the readout token in layers of a model's encoder.

    The image is prepared as for a prediction and encoded as a whole, even if the model predicts in
    windows.

    Args:
        model: A model from ``init_model`` with a ``VisionTransformerDPT``.
        image: (H, W, 3) uint8 RGB.
        layers: Indices from 0; None: the last of each quarter, as isl-org/DPT's util/misc.py.
        queries: None: the upper left and the lower right pixel, as there.
        head: Index from 0; None: the mean over heads.
        name: Name of the image in errors.

    Returns:
        For each query, a list with the attention of each layer.

    Raises:
        InputError: If the model has another encoder, or no such layer, head, token or pixel.
    """
    backbone = model.backbone
    if not isinstance(backbone, VisionTransformerDPT):
        raise InputError(
            f'attention needs a VisionTransformerDPT, but the model has {type(backbone).__name__}'
        )
    depth, (height, width) = len(backbone.layers), image.shape[:2]
    if layers is None:
        layers = sorted({max(0, depth * quarter // 4 - 1) for quarter in (1, 2, 3, 4)})
    if queries is None:
        queries = [(0, 0), (width - 1, height - 1)]
    for layer in layers:
        _check_range('layer', layer, depth, 'the model')
    for query in queries:
        _check_query(query, backbone, (height, width), name)
    if head is not None:
        for layer in layers:
            heads = backbone.layers[layer].attn.num_heads
            _check_range('head', head, heads, f'layer {layer}')

    sample = Preparation(model.cfg)(image, name)
    inputs = model.data_preprocessor({key: [value] for key, value in sample.items()}, False)
    tokens, grid = _encode(backbone, inputs['inputs'], layers)
    patch = backbone.pad_to_patch.multiple
    extent = (sample['inputs'].shape[-2] / patch, sample['inputs'].shape[-1] / patch)
    num_readouts, num_registers = backbone.num_extra_tokens, backbone.num_register_tokens
    first = num_readouts + num_registers
    rows = []
    for query in queries:
        if query == 'readout':
            rows.append(0)
        else:
            column = int((query[0] + 0.5) / width * extent[1])
            rows.append(first + int((query[1] + 0.5) / height * extent[0]) * grid[1] + column)

    found: list[list[Attention]] = [[] for _ in queries]
    for layer in layers:
        weights = attention_weights(backbone.layers[layer].attn, tokens[layer], rows)[0]
        weights = weights.mean(dim=0) if head is None else weights[head]
        for query, row, of_query in zip(queries, weights.cpu(), found, strict=True):
            patches = row[first:].reshape(grid).numpy()
            readout = float(row[:num_readouts].sum())
            registers = float(row[num_readouts:first].sum())
            of_query.append(Attention(layer, query, head, patches, extent, readout, registers))
    return found


def attention_panel(image: np.ndarray, attentions: Sequence[Sequence[Attention]]) -> np.ndarray:
    """Draw a row for each query: the image with the query, then its attention in each layer.

    Every map has its own scale from 0 to its greatest share, since shares differ between layers by
    orders of magnitude. Image and picture are (H, W, 3) uint8 RGB.
    """
    size = WIDTH, max(1, round(image.shape[0] * WIDTH / image.shape[1]))
    shrinks = image.shape[1] > WIDTH
    shown = cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    grey = cv2.cvtColor(cv2.cvtColor(shown, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    rows = []
    for of_query in attentions:
        query = of_query[0].query
        caption = 'readout token' if query == 'readout' else f'query ({query[0]}, {query[1]})'
        columns = [stack_panels([(caption, _mark(shown, query, image.shape))])]
        for attention in of_query:
            shares = spread(attention, size)
            greatest = float(attention.patches.max())
            heat = colourise_depth(shares, 0, greatest, COLOURS)
            over = (OPACITY * heat + (1 - OPACITY) * grey).round().astype(np.uint8)
            bar = colour_bar(WIDTH, (0, greatest, COLOURS, 'a patch'))
            panel = below([_mark(over, query, image.shape), bar], gap=0)
            columns.append(stack_panels([(_caption(attention), panel)]))
        rows.append(beside(columns))
    return below(rows)


def spread(attention: Attention, size: tuple[int, int]) -> np.ndarray:
    """Interpolate the patches' shares over an image of a size, width and height [px].

    Bilinearly between the patches' centres, without the padding; gives (height, width) float32.
    """
    width, height = size
    y = (np.arange(height) + 0.5) / height * attention.extent[0] - 0.5
    x = (np.arange(width) + 0.5) / width * attention.extent[1] - 0.5
    columns, rows = np.meshgrid(x.astype(np.float32), y.astype(np.float32))
    return cv2.remap(
        attention.patches, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def parse_query(text: str) -> Query:
    """Read 'X,Y' or 'readout'.

    Raises:
        InputError: If it is neither.
    """
    if text == 'readout':
        return 'readout'
    numbers = text.split(',')
    if len(numbers) != 2 or not all(number.strip().isdecimal() for number in numbers):
        raise InputError(f"a query is X,Y [px], such as 120,80, or 'readout'; got {text!r}")
    return int(numbers[0]), int(numbers[1])


def _encode(
    backbone: VisionTransformerDPT, images: Tensor, layers: Sequence[int]
) -> tuple[dict[int, Tensor], tuple[int, int]]:
    """Encode images; give the inputs of the layers' attention, and the grid of patches."""
    tokens: dict[int, Tensor] = {}
    grids: list[tuple[int, int]] = []
    handles = [
        backbone.layers[layer].attn.register_forward_pre_hook(
            lambda _, inputs, layer=layer: tokens.update({layer: inputs[0]})
        )
        for layer in layers
    ]
    handles.append(
        backbone.patch_embed.register_forward_hook(lambda _, __, output: grids.append(output[1]))
    )
    try:
        backbone(images)
    finally:
        for handle in handles:
            handle.remove()
    return tokens, grids[0]


def _check_range(what: str, value: int, number: int, whose: str) -> None:
    if not 0 <= value < number:
        raise InputError(f'no {what} {value}: {whose} has {what}s 0 to {number - 1}')


def _check_query(
    query: Query, backbone: VisionTransformerDPT, size: tuple[int, int], name: str
) -> None:
    if query == 'readout':
        if backbone.cls_token is None:
            raise InputError('the model has no readout token to ask')
    elif not (0 <= query[0] < size[1] and 0 <= query[1] < size[0]):
        raise InputError(
            f'query {query[0]},{query[1]} is outside of {name}, {size[1]} x {size[0]} px'
        )


def _mark(picture: np.ndarray, query: Query, shape: Sequence[int]) -> np.ndarray:
    """Draw a ring around the query's pixel of an image of this shape."""
    marked = np.ascontiguousarray(picture).copy()
    if query != 'readout':
        height, width = picture.shape[:2]
        x = int((query[0] + 0.5) / shape[1] * width)
        y = int((query[1] + 0.5) / shape[0] * height)
        for colour, thickness in (((0, 0, 0), 4), ((255, 255, 255), 2)):
            cv2.circle(marked, (x, y), 7, colour, thickness, cv2.LINE_AA)
    return marked


def _caption(attention: Attention) -> str:
    elsewhere = [
        f'{share:.1%} to {what}'
        for share, what in ((attention.readout, 'readout'), (attention.registers, 'registers'))
        if share
    ]
    head = [] if attention.head is None else [f'head {attention.head}']
    return ', '.join([f'layer {attention.layer}', *head, *elsewhere])
