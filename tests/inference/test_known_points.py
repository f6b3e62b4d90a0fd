"""Known points are read, or the file and line that are wrong are named."""

import pytest

from mmdpt.errors import InputError
from mmdpt.inference.known_points import read_known_points

HEADER = 'column,row,depth\n'


def write(tmp_path, text):
    path = tmp_path / 'points.csv'
    path.write_text(text, newline='')
    return path


@pytest.mark.parametrize(
    'text',
    [
        HEADER + '3,5,1.25\n0,7.5,40\n',
        'column,row,depth\r\n3,5,1.25\r\n0,7.5,40\r\n',
        '\ufeffColumn, Row, Depth\n\n3 , 5, 1.25\n\n0,7.5,40\n',
    ],
    ids=['plain', 'windows', 'spreadsheet'],
)
def test_pixels_and_metres(tmp_path, text):
    points = read_known_points(write(tmp_path, text))
    assert points.columns.tolist() == [3, 0]
    assert points.rows.tolist() == [5, 7.5]
    assert points.metres.tolist() == [1.25, 40]


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        ('3,5', 'expected column,row,depth, got 2 values'),
        ('3,5,1,2', 'expected column,row,depth, got 4 values'),
        ('3,five,1', "expected three numbers, got '3,five,1'"),
        ('-1,5,1', r'pixel \(-1, 5\) is not in an image'),
        ('3,-1,1', r'pixel \(3, -1\) is not in an image'),
        ('nan,5,1', r'pixel \(nan, 5\) is not in an image'),
        ('3,inf,1', r'pixel \(3, inf\) is not in an image'),
        ('3,5,0', r'depth must be positive \[m\], got 0'),
        ('3,5,-2', r'depth must be positive \[m\], got -2'),
        ('3,5,nan', r'depth must be positive \[m\], got nan'),
        ('3,5,inf', r'depth must be positive \[m\], got inf'),
    ],
)
def test_wrong_line_is_named(tmp_path, line, message):
    path = write(tmp_path, f'{HEADER}1,1,1\n\n{line}\n')
    with pytest.raises(InputError, match=rf'points\.csv, line 4: {message}'):
        read_known_points(path)


def test_wrong_file_is_named(tmp_path):
    for header in ('1,2,3', 'row,column,depth', 'column,row', ''):
        path = write(tmp_path, header and f'{header}\n1,1,1\n')
        with pytest.raises(InputError, match=r'points\.csv: the first line must be column,row,dep'):
            read_known_points(path)
    with pytest.raises(InputError, match=r'points\.csv holds no point below its header'):
        read_known_points(write(tmp_path, HEADER))
