"""How much steadier a video's depth is with ``steady``, on walks through rendered scenes.

python benchmarks/steady.py CONFIG CHECKPOINT

Every walk is predicted once. Two rows each: the numbers as predicted, and as relative disparity
whose range in every frame is 0 to 1, as MiDaS writes it, which flickers as a whole.
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
    """Flicker frame by frame and steady, their ratio, and AbsRel aligned frame by frame."""
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
        f'{100 * before:6.2f} % {100 * after:6.2f} % {before / after:6.1f} x   '
        f'{errors[0]:.4f} {errors[1]:.4f}'
    )


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
    print('walk               frame by frame  steady   ratio   AbsRel, steady')
    for index in range(4):
        walk = [rendering for _, rendering in render_walk(0, 'validation', index, (320, 240))]
        depth = np.stack([rendering.depth for rendering in walk])
        predictions = [predict(rendering.image) for rendering in walk]
        print(f'{index}: as predicted  {figures(predictions, depth)}')
        print(f'{index}: range 0 to 1  {figures([*map(normalised, predictions)], depth)}')


if __name__ == '__main__':
    main()
