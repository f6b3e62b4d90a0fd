"""What share of a DPT-Base training step on MIX6 the depth losses take.

python benchmarks/depth_losses.py
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import timing
import torch
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmdpt.config import load_config
from mmdpt.registry import MODELS

SIDE = 384
VALID = 0.7
"""Share of pixels with ground truth."""


def median_seconds(step: Callable[[], None], repeats: int) -> float:
    step()  # warm-up
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        step()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--loss-batch', type=int, default=16, help='images of the losses')
    parser.add_argument('--step-batch', type=int, default=2, help='images of the training step')
    parser.add_argument('--repeats', type=int, default=7)
    parser.add_argument('--out', type=Path, help='JSON file for the figures')
    args = parser.parse_args()
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    torch.manual_seed(0)

    cfg = load_config('dpt_vit-b16_mix6', ['model.backbone.init_cfg=None'])
    init_default_scope('mmdpt')
    model = MODELS.build(cfg.model).to(device).train()

    depth = 1 + 9 * torch.rand(args.loss_batch, 1, SIDE, SIDE, device=device)
    depth[torch.rand_like(depth) > VALID] = torch.nan
    pred = torch.rand_like(depth).requires_grad_()

    def losses() -> None:
        total = sum(loss(pred, 1 / depth) for loss in model.decode_head.loss_decode)
        total.backward()
        pred.grad = None

    images = torch.randn(args.step_batch, 3, SIDE, SIDE, device=device)
    samples = []
    for index in range(args.step_batch):
        sample = SegDataSample(metainfo=dict(img_shape=(SIDE, SIDE)))
        sample.gt_depth_map = PixelData(data=depth[index % len(depth)])
        samples.append(sample)

    def step(dtype: torch.dtype) -> None:
        with torch.autocast(device, dtype, enabled=dtype != torch.float32):
            total = sum(model.loss(images, samples).values())
        total.backward()
        model.zero_grad()

    per_image = median_seconds(losses, args.repeats) / args.loss_batch
    figures: dict = dict(
        machine=timing.describe_machine(device),
        losses=f'{args.loss_batch} x {SIDE} x {SIDE}: {1000 * per_image:.1f} ms an image',
    )
    for dtype in (torch.float32, torch.bfloat16):
        of_step = median_seconds(lambda dtype=dtype: step(dtype), args.repeats) / args.step_batch
        figures[str(dtype)] = (
            f'step {1000 * of_step:.0f} ms an image (batch {args.step_batch}), '
            f'losses {100 * per_image / of_step:.1f} % of it'
        )
    print(json.dumps(figures, indent=2))
    timing.write_report(figures, args.out)


if __name__ == '__main__':
    main()
