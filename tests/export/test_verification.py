"""A file that does not compute what the model does is not written; nor is one that cannot be."""

import pytest
import torch

from mmdpt.errors import InputError
from mmdpt.export import onnx_file, torch_export_file
from mmdpt.export.module import ExportableModel
from mmdpt.export.verification import example_shape, verified_shapes, verify
from mmdpt.export.writing import export_model
from mmdpt.inference import backends


@pytest.fixture(scope='module')
def model(build_tiny):
    return build_tiny('relative')


@pytest.fixture(scope='module')
def module(model):
    return ExportableModel(model).eval()


def test_a_difference_just_below_the_tolerance_passes_and_is_reported(module):
    shapes = verified_shapes(module)

    def off(image):
        (output,) = module(image)
        return (output + 0.9e-4 * output.abs().amax(),)

    comparisons = verify(module, off, shapes)
    assert [c.shape for c in comparisons] == shapes
    assert all(c.difference == pytest.approx(0.9e-4, rel=0.02) for c in comparisons)


def one_pixel_off(image, output):
    """Only at the last of the shapes."""
    if image.shape[-1] == 49:
        output = output.clone()
        output[-1, 0, 3, 4] += 2e-4 * output.abs().amax()
    return output


def no_kernel(image, output):
    raise RuntimeError('no kernel\nand more')


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (one_pixel_off, r'relative of 3 x 3 x 55 x 49: 2\.0e-04'),
        (no_kernel, r'fails for an image \(1, 3, 64, 64\): no kernel$'),
        (lambda image, output: output * torch.nan, 'differs from the model'),
        (lambda image, output: output[:, :, 1:], r'of shape \(1, 1, 63, 64\) for'),
    ],
)
def test_a_file_that_fails_is_named_with_the_shape(module, change, message):
    with pytest.raises(InputError, match=message):
        verify(module, lambda image: (change(image, *module(image)),), verified_shapes(module))


@pytest.mark.parametrize(
    ('bias', 'message'), [(-1e3, 'relative 0 everywhere'), (torch.inf, 'not finite')]
)
def test_a_model_of_which_equality_shows_nothing_cannot_be_verified(build_tiny, bias, message):
    model = build_tiny('relative')
    model.decode_head.predictor.conv3.bias.data.fill_(bias)  # relu(x) = 0
    module = ExportableModel(model)
    with pytest.raises(InputError, match=message):
        verify(module, module, [(1, 3, 64, 64)])


def test_the_own_size_and_three_not_square_are_verified_and_another_is_the_example(module):
    shapes = [(1, 3, 64, 64), (2, 3, 49, 70), (1, 3, 99, 53), (3, 3, 55, 49)]
    assert verified_shapes(module) == shapes
    assert example_shape(module) == (2, 3, 73, 51)


@pytest.mark.parametrize(
    ('error', 'message'),
    [
        (RuntimeError('no such operator\nand more'), 'cannot hold this model: no such operator$'),
        (PermissionError(13, 'Permission denied'), r'cannot write .*model\.pt2: Permission'),
    ],
)
def test_a_failed_export_leaves_nothing(model, monkeypatch, tmp_path, error, message):
    def write(module, example, path, metadata):
        path.write_bytes(b'half')
        raise error

    monkeypatch.setattr(torch_export_file, 'write', write)
    with pytest.raises(InputError, match=message):
        export_model(model, 'torch-export', tmp_path / 'model.pt2')
    assert list(tmp_path.iterdir()) == []


def test_a_failed_verification_leaves_nothing_unless_there_is_none(model, monkeypatch, tmp_path):
    """A file that computes ten times the model's output."""
    modules, path = [], tmp_path / 'model.pt2'

    def write(module, example, path, metadata):
        modules.append(module)
        path.write_bytes(b'whole')

    monkeypatch.setattr(torch_export_file, 'write', write)
    tenfold = lambda path: lambda image: (10 * modules[-1](image)[0],)  # noqa: E731
    monkeypatch.setattr(torch_export_file, 'load', tenfold)
    with pytest.raises(InputError, match=r'differs from the model, .*: 9\.0e\+00'):
        export_model(model, 'torch-export', path)
    assert list(tmp_path.iterdir()) == []
    assert export_model(model, 'torch-export', path, verified=False) == []
    assert path.read_bytes() == b'whole'


@pytest.mark.parametrize('package', onnx_file.PACKAGES)
def test_a_missing_package_is_named_with_its_command(module, monkeypatch, package):
    importer = backends.importlib.import_module

    def without(name):
        if name == package:
            raise ModuleNotFoundError(name)
        return importer(name)

    monkeypatch.setattr(backends.importlib, 'import_module', without)
    with pytest.raises(InputError, match=rf"needs {package}: pip install 'mmdpt\[onnx\]'"):
        onnx_file.check_can_write(module)


def test_weights_beyond_one_file_are_refused(module, monkeypatch):
    size = sum(tensor.nbytes for tensor in module.state_dict().values())
    monkeypatch.setattr(onnx_file, 'GREATEST_FILE', size + 1)
    onnx_file.check_can_write(module)
    monkeypatch.setattr(onnx_file, 'GREATEST_FILE', size)
    with pytest.raises(InputError, match='take --format torch-export'):
        onnx_file.check_can_write(module)
