"""Imports are tried elsewhere, and each failure comes with what mends it."""

from importlib import metadata

import pytest

from mmdpt.commands.doctor.imports import check_imports, check_origin, remedy_for, try_imports


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """Write modules that Python finds before the installed ones."""
    monkeypatch.setenv('PYTHONPATH', str(tmp_path))

    def write(**sources):
        for name, source in sources.items():
            (tmp_path / f'{name}.py').write_text(source)
        return tmp_path

    return write


def test_each_failure_is_told_and_the_next_module_is_tried(modules):
    folder = modules(
        fine_one='print("chatter", end="")\n',
        raises='import fine_two\nraise RuntimeError("no\\nkernel")\n',
        leaves='raise SystemExit(3)\n',
        dies='import os\nos._exit(5)\n',
        fine_two='',
    )
    assert list(try_imports(['fine_one', 'raises', 'leaves', 'dies', 'gone', 'fine_two'])) == [
        ('fine_one', str(folder / 'fine_one.py'), None),
        ('raises', None, 'RuntimeError: no\nkernel'),
        ('leaves', None, 'SystemExit: 3'),
        ('dies', None, 'importing it ends Python with code 5'),
        ('gone', None, "ModuleNotFoundError: No module named 'gone'"),
        ('fine_two', str(folder / 'fine_two.py'), None),
    ]


def test_last_module_that_ends_python_is_told(modules):
    modules(fine='', dies='import os\nos.abort()\n')
    *_, last = try_imports(['fine', 'dies'])
    assert last.error == 'importing it ends Python with code -6'


def test_current_folder_is_not_searched(tmp_path, monkeypatch):
    (tmp_path / 'only_here.py').write_text('')
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv('PYTHONPATH', raising=False)
    (attempt,) = try_imports(['only_here'])
    assert attempt.error == "ModuleNotFoundError: No module named 'only_here'"


def test_opencv_without_libgl_gives_the_build_without_windows(modules):
    modules(cv2='raise ImportError("libGL.so.1: cannot open shared object file: No such file")\n')
    (finding,) = check_imports(['cv2'])
    assert (finding.state, finding.subject) == ('wrong', 'import cv2')
    assert finding.text.startswith('ImportError: libGL.so.1')
    assert '--no-deps opencv-python-headless' in finding.remedy and 'libgl1' in finding.remedy


def test_what_fails_for_the_same_reason_is_sent_to_the_first(modules):
    modules(cv2='raise ImportError("libGL.so.1: gone")\n', mmcv='import cv2\n')
    first, second = check_imports(['cv2', 'mmcv'])
    assert (first.state, second.state) == ('wrong', 'wrong')
    assert second.remedy == 'mend import cv2 first'


def test_another_file_of_the_name_is_a_note(modules):
    folder = modules(mmcv='')
    (finding,) = check_imports(['mmcv'])
    assert finding.state == 'note' and str(folder / 'mmcv.py') in finding.text
    assert 'not from the installed onedl-mmcv' in finding.text
    assert 'PYTHONPATH' in finding.remedy


def test_installed_module_is_fine_and_says_whose_it_is():
    (finding,) = check_imports(['cv2'])
    assert finding.state == 'ok' and finding.text.startswith('of opencv-python')


def test_module_that_nobody_owns_is_a_note(pretend):
    pretend(onedl_mmseg=None, onedl_mmsegmentation=None, mmsegmentation=None)
    finding = check_origin('mmseg', '/elsewhere/mmseg/__init__.py')
    assert finding.state == 'note' and 'no installed package owns' in finding.text


def test_editable_installation_may_be_anywhere(tmp_path, monkeypatch):
    info = tmp_path / 'onedl_mmcv-2.3.6.dist-info'
    info.mkdir()
    (info / 'METADATA').write_text('Metadata-Version: 2.1\nName: onedl-mmcv\nVersion: 2.3.6\n')
    monkeypatch.setattr(metadata, 'distribution', lambda name: metadata.Distribution.at(info))
    assert check_origin('mmcv', '/src/mmcv/__init__.py').state == 'note'
    (info / 'direct_url.json').write_text('{"url": "file:///src", "dir_info": {"editable": true}}')
    assert check_origin('mmcv', '/src/mmcv/__init__.py') == (
        'ok',
        'import mmcv',
        'of onedl-mmcv 2.3.6',
        '',
    )


@pytest.mark.parametrize(
    ('module', 'error', 'remedy'),
    [
        ('mmseg', "ModuleNotFoundError: No module named 'mmseg'", 'pip install onedl-mms'),
        ('mmseg', "ModuleNotFoundError: No module named 'ftfy'", 'pip install --force-reinstall o'),
        ('cv2', 'ImportError: numpy.core.multiarray failed', 'pip install --force-reinstall open'),
        ('torchvision', 'RuntimeError: operator torchvision::nms does not exist', 'install torch '),
    ],
)
def test_remedy_fits_the_error(module, error, remedy):
    assert remedy_for(module, error).startswith(remedy)
