"""How far a mean over images moves with the choice of images."""

import numpy as np

CONFIDENCE = 95  # [%]


def bootstrap_interval(
    values: np.ndarray, resamples: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Percentile bootstrap of the mean (Efron 1979): how far it moves with the choice of images.

    The values are (N, K), a row an image, of which N are drawn with replacement for each resample,
    alike for all columns. Gives lower and upper end of the 95 % interval, each (K,).
    """
    generator = np.random.default_rng(seed)
    means = np.stack(
        [
            values[generator.integers(0, len(values), len(values))].mean(axis=0)
            for _ in range(resamples)
        ]
    )
    tail = (100 - CONFIDENCE) / 2
    low, high = np.percentile(means, [tail, 100 - tail], axis=0)
    return low, high
