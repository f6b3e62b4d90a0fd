"""Evaluation beside mmseg's: label maps of a large image after the forward pass, and metrics.

python benchmarks/evaluation.py [--out FILE.json]

Label maps: 150 classes, logits of 512 x 666 px, an image of 2000 x 2600 px. 'confident' logits are
smooth and favour few classes, as a trained model's; of 'random' ones every class wins somewhere.
Metrics: the time of one CamVid image, 480 x 360 px, as a share of the forward pass of the smallest
model that the configs train on CamVid.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import timing

timing.bind_threads()

import numpy as np  # noqa: E402
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from mmengine.structures import PixelData  # noqa: E402
from mmseg.evaluation import IoUMetric as MMSegIoUMetric  # noqa: E402
from mmseg.models.segmentors.base import BaseSegmentor  # noqa: E402
from mmseg.structures import SegDataSample  # noqa: E402

from mmdpt.apis import build_model  # noqa: E402
from mmdpt.evaluation.depth_metric import DepthMetric  # noqa: E402
from mmdpt.evaluation.iou_metric import IoUMetric  # noqa: E402
from mmdpt.models.segmentors.encoder_decoder import EncoderDecoder  # noqa: E402

CLASSES = 150
INPUT, IMAGE = (512, 666), (2000, 2600)
LAYOUTS = {'NCHW': torch.contiguous_format, 'channels last': torch.channels_last}
REFERENCE = 'mmseg, NCHW'
"""The logits' layout in mmseg; that of our heads is channels last, on a CPU."""
KINDS = ('confident', 'random')
TIME_LIMIT, MEMORY_LIMIT, METRIC_LIMIT = 0.7, 1 / 8, 0.05
CAMVID, CAMVID_INPUT, CAMVID_CLASSES = (360, 480), (240, 320), 11


def main() -> None:
    args = parse_args()
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    if args.one:
        print(json.dumps(measure_memory(*args.one, device)))
        return
    report = dict(
        machine=timing.describe_machine(device),
        limits=dict(time=TIME_LIMIT, memory=MEMORY_LIMIT, metric=METRIC_LIMIT),
        label_map={kind: compare_label_maps(kind, args.repeats, device) for kind in args.kinds},
        metrics=compare_metrics(args.repeats, device),
    )
    print(json.dumps(report, indent=2))
    timing.write_report(report, args.out)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--repeats', type=int, default=7)
    parser.add_argument('--kinds', nargs='*', choices=KINDS, default=KINDS, help='of logits')
    parser.add_argument('--out', type=Path, help='JSON file for the figures')
    parser.add_argument('--one', nargs=3, help=argparse.SUPPRESS)  # of one child process
    return parser.parse_args()


def make_logits(kind: str, layout: str, device: str) -> torch.Tensor:
    """Give (1, 150, 512, 666)."""
    torch.manual_seed(0)
    logits = torch.randn(1, CLASSES, *INPUT)
    if kind == 'confident':
        coarse = 3 * torch.randn(1, CLASSES, 16, 20) - 0.2 * torch.arange(CLASSES).view(1, -1, 1, 1)
        logits = F.interpolate(coarse, INPUT, mode='bicubic') + 0.05 * logits
    return logits.to(device).contiguous(memory_format=LAYOUTS[layout])


def postprocess(name: str, logits: torch.Tensor) -> torch.Tensor:
    """Label the image as a segmentor of ``name`` does, from its logits to its sample's labels."""
    kind = BaseSegmentor if name == 'mmseg' else EncoderDecoder
    model = SimpleNamespace(
        align_corners=False, decode_head=SimpleNamespace(threshold=None), test_cfg={}
    )
    sample = SegDataSample(metainfo=dict(ori_shape=IMAGE))
    return kind.postprocess_result(model, logits, [sample])[0].pred_sem_seg.data


def compare_label_maps(kind: str, repeats: int, device: str) -> dict:
    """Time all in turns and measure the memory of each in a process of its own.

    Raises:
        SystemExit: If a label differs.
    """
    logits = {layout: make_logits(kind, layout, device) for layout in LAYOUTS}
    expected = {layout: postprocess('mmseg', logits[layout]) for layout in LAYOUTS}

    def check(layout: str) -> None:
        if not torch.equal(postprocess('mmdpt', logits[layout]), expected[layout]):
            sys.exit(f'{kind} logits, {layout}: the labels are not those of mmseg')

    runs: dict[str, Callable[[], object]] = {}
    for layout in LAYOUTS:
        runs[f'mmseg, {layout}'] = lambda layout=layout: postprocess('mmseg', logits[layout])
        # compared every time; that counts as ours
        runs[f'mmdpt, {layout}'] = lambda layout=layout: check(layout)
    result = timing.summarize(timing.alternate(runs, repeats), REFERENCE)
    for rival, figures in result.items():
        name, layout = rival.split(', ')
        figures.update(json.loads(timing.ask_child('--one', name, kind, layout)))
        figures['peak_ratio'] = round(figures['peak_mb'] / result[REFERENCE]['peak_mb'], 4)
    present = expected['NCHW'].unique().numel()
    return dict(classes_present=present, **result)


def measure_memory(name: str, kind: str, layout: str, device: str) -> dict[str, float]:
    """Measure the peak above the logits [MB]."""
    logits = make_logits(kind, layout, device)
    postprocess(name, logits[..., :8, :8])  # libraries set up what is theirs
    growth = timing.peak_growth(lambda: postprocess(name, logits), device)
    return dict(peak_mb=round(growth, 1))


def compare_metrics(repeats: int, device: str) -> dict:
    """Time the forward pass and each metric of one image, in turns.

    Raises:
        SystemExit: If a metric is not mmseg's, or an error not that of the formula.
    """
    model = build_model('dpt_vit-ti16_camvid').to(device).eval()
    image = torch.randn(1, 3, *CAMVID_INPUT, device=device)
    metas = [dict(img_shape=CAMVID_INPUT, ori_shape=CAMVID)]
    sample = make_sample(device)
    metrics = dict(
        iou=IoUMetric(prefix='ours'),
        mmseg_iou=MMSegIoUMetric(prefix='mmseg'),
        depth=DepthMetric(prefix='depth'),
        depth_lstsq=DepthMetric(alignment='lstsq', prefix='depth'),
    )
    for metric in metrics.values():
        metric.dataset_meta = dict(classes=tuple(map(str, range(CAMVID_CLASSES))))
    runs: dict[str, Callable[[], object]] = {
        name: lambda metric=metric: metric.process({}, [sample]) for name, metric in metrics.items()
    }
    with torch.inference_mode():
        runs = dict(forward=lambda: model.inference(image, metas), **runs)
        result = timing.summarize(timing.alternate(runs, repeats), 'forward')
    check_metrics(metrics, sample)
    return result


def make_sample(device: str) -> dict:
    """Give labels and depth [m] of one image, predicted and true."""
    torch.manual_seed(0)
    sample = SegDataSample(metainfo=dict(img_path='image.jpg'))
    labels = torch.randint(0, CAMVID_CLASSES, (1, *CAMVID))
    sample.pred_sem_seg = PixelData(data=labels.to(device))
    wrong = torch.rand(1, *CAMVID) < 0.3
    truth = torch.where(wrong, torch.randint(0, CAMVID_CLASSES, (1, *CAMVID)), labels)
    truth[:, :20] = 255
    sample.gt_sem_seg = PixelData(data=truth)
    depth = 1 + 8 * torch.rand(1, *CAMVID)
    sample.pred_depth_map = PixelData(
        data=(depth * (0.8 + 0.4 * torch.rand_like(depth))).to(device)
    )
    depth[:, :, :30] = torch.nan
    sample.gt_depth_map = PixelData(data=depth)
    return sample.to_dict()


def check_metrics(metrics: dict, sample: dict) -> None:
    for ours, theirs in zip(
        metrics['iou'].results[-1], metrics['mmseg_iou'].results[-1], strict=True
    ):
        if not torch.equal(ours, theirs.double()):
            sys.exit('IoUMetric counts other areas than mmseg')
    pred, true = (
        sample[f'{which}_depth_map']['data'].cpu().double().numpy() for which in ('pred', 'gt')
    )
    valid = true > 0
    expected = np.mean(np.abs(np.clip(pred, 1e-3, 10) - true)[valid] / true[valid])
    if not np.isclose(metrics['depth'].results[-1]['abs_rel'], expected, rtol=1e-9):
        sys.exit('DepthMetric has another AbsRel than the formula')


if __name__ == '__main__':
    main()
