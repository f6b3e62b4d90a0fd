"""Predict all images of a source, or a video, and write the outputs."""

import contextlib
import functools
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmdpt.checkpoints.reading.releases import list_models
from mmdpt.commands.progress import Report, progress_bar
from mmdpt.config.names import nearest_names
from mmdpt.errors import InputError
from mmdpt.files.paths import make_folder
from mmdpt.inference.focal import Camera
from mmdpt.inference.inferencer import DPTInferencer
from mmdpt.inference.known_points import KnownPoints, read_known_points
from mmdpt.inference.prediction import Prediction
from mmdpt.inference.sources import NamedImage, find_images
from mmdpt.inference.steady import Steady
from mmdpt.inference.video import VideoReader, is_video

from .outputs import Outputs
from .ranks import share
from .run_report import RunReport
from .video_run import Predict, predict_video

DEFAULT_MODEL = 'dpt-hybrid-midas'
INTERRUPTED = 130
"""Exit code after Ctrl-C, as in a shell."""
OUT_OF_MEMORY = (MemoryError, torch.cuda.OutOfMemoryError)

_Loaded = tuple[NamedImage, np.ndarray]


def choose_model(
    release: str | None = None, config: str | None = None, checkpoint: str | None = None
) -> tuple[str, str | None]:
    """Give the model and the checkpoint for ``DPTInferencer``, never one with random weights.

    A config needs a checkpoint. A release, ``DEFAULT_MODEL`` without any, may have one, and its own
    is then not downloaded.

    Raises:
        InputError: If they do not go together, or no release has the name.
    """
    if config is not None:
        if checkpoint is None:
            raise InputError(f'the weights of config {config} are missing: name a checkpoint')
        return config, checkpoint
    if checkpoint is not None and release is None:
        raise InputError(f'the config of checkpoint {checkpoint} is missing: name it, or a release')
    release = release or DEFAULT_MODEL
    known = list_models()
    if release not in known:
        close = nearest_names(release, known) or known
        raise InputError(
            f'no released model is named {release}; the nearest names: {", ".join(close)}'
        )
    return release, checkpoint


def predict(
    inputs: Sequence[str],
    outputs: Outputs,
    load: Callable[[], DPTInferencer],
    batch_size: int = 1,
    known_points: str | None = None,
    as_json: bool = False,
    resume: bool = False,
    steady: bool = False,
) -> int:
    """Predict images, or a video or camera; print a summary, and failures to standard error.

    The command is checked before the model is loaded. If there are several images, those in the
    folder of the outputs are left out, as an earlier run wrote them. Processes of a launcher divide
    the images. ``batch_size`` images are read and predicted at a time. Every map is aligned to the
    known points, a CSV file. ``as_json`` prints a line for each image, and nothing else, to
    standard output. ``resume`` leaves out images all of whose files are there. ``steady`` keeps the
    scale and shift of a video's maps, see ``Steady``.

    Returns:
        Exit code: 0; 1 if an image failed, of another process too; 130 after Ctrl-C.

    Raises:
        InputError: If there is nothing to predict, or the model, the known points or the outputs do
            not fit; later, if no file can be written any more, a frame fails or another process is
            lost.
    """
    if batch_size < 1:
        raise InputError(f'the batch size must be at least 1, got {batch_size}')
    points = None if known_points is None else read_known_points(known_points)
    report = RunReport(outputs.folder, sys.stdout if as_json else None, known_points)
    hidden = report.rank > 0 or (as_json and sys.stdout.isatty())  # lines would run into the bar
    with contextlib.ExitStack() as stack:
        if as_json:  # what libraries print is no line of ours
            stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        source = inputs[0] if len(inputs) == 1 else list(inputs)
        if is_video(source) and report.num_ranks > 1:
            raise InputError(f'{source} is a video, which one process predicts: no --launcher')
        video = stack.enter_context(VideoReader(inputs[0])) if is_video(source) else None
        if steady and video is None:
            raise InputError(f'--steady is for a video or camera, got {", ".join(inputs)}')
        images = [] if video else _outside(find_images(source), outputs.folder)
        make_folder(outputs.folder)
        report.remove_lists()
        inferencer = load()
        _check_model(inferencer, outputs, points)
        if steady and inferencer.depth_head is None:
            raise InputError('the model predicts no depth: --steady changes nothing')
        report.says_focal = needs_camera = _needs_camera(inferencer, outputs)
        if video is None:
            is_done = _is_done(inferencer, outputs, points) if resume else lambda image: False
            mine = share(images, is_done)
            report.num_images = len(images)
        # whose EXIF is read; the frames of a video have none
        files = {image.name: image.source for image in images} if needs_camera else {}
        run = partial(_predict, inferencer, points, files, Steady() if steady else None)
        try:
            with progress_bar('predicting', hidden) as progress:
                if video is not None:
                    report.what = 'frame'
                    predict_video(video, inputs[0], run, outputs, report, batch_size, progress)
                else:
                    predict_pictures(mine, run, outputs, report, batch_size, progress)
        except KeyboardInterrupt:
            report.print_summary()
            return INTERRUPTED
        except BaseException:
            report.print_summary()
            raise
        return report.finish()


def predict_pictures(
    images: Sequence[NamedImage],
    run: Predict,
    outputs: Outputs,
    report: RunReport,
    batch_size: int,
    progress: Report,
) -> None:
    """Predict images batch by batch and write their files; report those that fail.

    Raises:
        InputError: If no file can be written any more.
    """
    for start in range(0, len(images), batch_size):
        progress(start, len(images))
        began = time.perf_counter()
        loaded = _load(images[start : start + batch_size], report)
        results = _predict_each(run, loaded) if loaded else []
        share = (time.perf_counter() - began) / max(1, len(loaded))
        for (image, _), result in zip(loaded, results, strict=True):
            began = time.perf_counter()
            try:
                if isinstance(result, Exception):
                    raise result
                files = outputs.write(result)
            except InputError as error:
                if isinstance(error.__cause__, OSError):  # the next ones would fail too
                    raise
                report.failed(image.name, image.source, error)
            else:
                seconds = share + time.perf_counter() - began
                report.done(result, image.source, files, seconds)
    progress(len(images), len(images))


def _outside(images: Sequence[NamedImage], folder: Path) -> Sequence[NamedImage]:
    """Leave out the images in a folder, if there are several images."""
    if len(images) == 1:
        return images
    inside = os.path.realpath(folder)

    @functools.cache  # a folder of a million images is resolved once
    def lies_inside(parent: str) -> bool:
        return os.path.commonpath([inside, os.path.realpath(parent)]) == inside

    outside = [
        image
        for image in images
        if '://' in image.source or not lies_inside(os.path.dirname(image.source))
    ]
    if not outside:
        raise InputError(
            f'all images lie in {folder}, where the outputs go: name another folder for these'
        )
    if len(outside) < len(images):
        number = len(images) - len(outside)
        print(f'{number} images in {folder}, where the outputs go, left out', file=sys.stderr)
    return outside


def _check_model(inferencer: DPTInferencer, outputs: Outputs, points: KnownPoints | None) -> None:
    head = inferencer.depth_head
    if head is None and points is not None:
        raise InputError('the model predicts no depth: there is nothing to align')
    output = 'normals' if inferencer.gives_normals else None
    outputs.check_model(output if head is None else 'depth' if points is not None else head.output)
    if inferencer.camera != Camera() and not _needs_camera(inferencer, outputs):
        raise InputError('the model and the files written do not need the camera: leave it out')


def _needs_camera(inferencer: DPTInferencer, outputs: Outputs) -> bool:
    head = inferencer.depth_head
    return head is not None and (outputs.needs_camera or head.canonical_focal is not None)


def _is_done(
    inferencer: DPTInferencer, outputs: Outputs, points: KnownPoints | None
) -> Callable[[NamedImage], bool]:
    """Give a check whether all files of an image are there."""
    head, pixel = inferencer.depth_head, np.zeros((1, 1), np.uint8)
    known: dict[str, Any] = dict(labels=pixel) if inferencer.segments else {}
    if head is not None:
        output = head.output if points is None else 'depth'
        sky = None if head.predictor.sky is None else pixel.astype(bool)
        known.update(map=pixel.astype(np.float32), output=output, sky=sky)
    if inferencer.gives_normals:
        known.update(own_normals=np.zeros((1, 1, 3), np.float32))
    blank = Prediction(np.zeros((1, 1, 3), np.uint8), name='', **known)
    endings, present = dict(outputs.files(blank)), set(os.listdir(outputs.folder))
    return lambda image: present.issuperset(f'{image.name}_{ending}' for ending in endings)


def _predict(
    inferencer: DPTInferencer,
    points: KnownPoints | None,
    files: dict[str, str],
    steady: Steady | None,
    images: Sequence[np.ndarray],
    names: Sequence[str],
) -> list[Prediction]:
    sources = [[files[name] for name in names]] if files else []
    predictions = inferencer.predict_images(images, names, *sources)
    if points is not None:
        predictions = [each.align(points) for each in predictions]
    return predictions if steady is None else [*map(steady, predictions)]


def _load(images: Sequence[NamedImage], report: RunReport) -> list[_Loaded]:
    loaded = []
    for image in images:
        try:
            loaded.append((image, image.load()))
        except (InputError, MemoryError) as error:
            report.failed(image.name, image.source, error)
    return loaded


def _predict_each(run: Predict, loaded: Sequence[_Loaded]) -> list[Prediction | InputError]:
    """Predict a batch; if it fails, predict each image alone, so that only the bad one fails."""
    try:
        return [*run([pixels for _, pixels in loaded], [image.name for image, _ in loaded])]
    except (InputError, *OUT_OF_MEMORY) as error:
        if len(loaded) > 1:
            return [result for item in loaded for result in _predict_each(run, [item])]
        if isinstance(error, OUT_OF_MEMORY):
            height, width = loaded[0][1].shape[:2]
            error = InputError(f'{width} x {height} px do not fit into memory: {error}')
        return [error]
