"""How much steadier a video's depth is with ``steady``, on walks through rendered scenes.

python benchmarks/steady.py CONFIG CHECKPOINT

Three rows a walk: depth as predicted; under a light whose brightness changes by 20 % from frame to
frame; and that as relative disparity with a range of 0 to 1 in every frame, as MiDaS writes it.
Flicker of pixels and of whole frames, see ``mmdpt.evaluation.flicker``, frame by frame > steady.
"""

import argparse

import numpy as np

from mmdpt.apis import DPTInferencer
from mmdpt.evaluation import align_depth
from mmdpt.evaluation.flicker import flicker
from mmdpt.inference.prediction import Prediction
from mmdpt.inference.steady import Steady
from mmdpt.scenes import render_walk


def figures(predictions: list[Prediction], depth: np.ndarray) -> str:
    """Flicker of pixels and frames, and AbsRel aligned frame by frame."""
    steady = Steady()
    output = predictions[0].output
    raw = np.stack([each.map for each in predictions])
    kept = np.stack([steady(each).map for each in predictions])
    before, after = (flicker(maps, depth, output) for maps in (raw, kept))
    errors = [
        np.mean([abs_rel(*pair, output) for pair in zip(maps, depth, strict=True)])
        for maps in (raw, kept)
    ]
    return (
        f'{before.pixels:8.2%} > {after.pixels:.2%}  {before.frames:8.2%} > {after.frames:.2%}  '
        f'{errors[0]:8.4f} > {errors[1]:.4f}'
    )


def flickering(image: np.ndarray, gain: float) -> np.ndarray:
    return np.clip(255 * (gain * (image / 255) ** 2.2) ** (1 / 2.2), 0, 255).astype(np.uint8)


def abs_rel(pred: np.ndarray, target: np.ndarray, output: str) -> float:
    valid = np.isfinite(target)
    aligned = align_depth(pred, target, valid, alignment='lstsq', output=output, max_depth=80.0)
    return float(np.mean(np.abs(aligned - target)[valid] / target[valid]))


def normalised(prediction: Prediction) -> Prediction:
    disparity = 1 / prediction.depth()
    low, high = disparity.min(), disparity.max()
    return Prediction(
        prediction.image, prediction.name, (disparity - low) / (high - low), 'relative'
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='of metric depth')
    parser.add_argument('checkpoint')
    args = parser.parse_args()
    predict = DPTInferencer(args.config, args.checkpoint)
    print(f'{"":16}{"pixels":>16}{"frames":>17}{"AbsRel":>18}')
    rng = np.random.default_rng(0)
    for index in range(4):
        walk = [rendering for _, rendering in render_walk(0, 'validation', index, (320, 240))]
        depth = np.stack([rendering.depth for rendering in walk])
        print(f'{index} as predicted  ', figures([predict(each.image) for each in walk], depth))
        gains = np.exp(0.2 * rng.normal(size=len(walk)))
        lit = [
            predict(flickering(*each))
            for each in zip((view.image for view in walk), gains, strict=True)
        ]
        print(f'{index} changing light', figures(lit, depth))
        print(f'{index} range 0 to 1  ', figures([*map(normalised, lit)], depth), flush=True)


if __name__ == '__main__':
    main()
