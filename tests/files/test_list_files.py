"""All list files are read alike: byte order mark, blank lines, line numbers."""

import pytest

from mmdpt.errors import InputError
from mmdpt.files.list_files import parse_each, read_lines, read_rows


def test_blank_lines_and_byte_order_mark_are_not_part_of_a_name(tmp_path):
    path = tmp_path / 'list.txt'
    path.write_bytes('\n a.jpg \r\n\r\nb c.jpg\n\n'.encode('utf-8-sig'))
    assert read_lines(path) == [(2, 'a.jpg'), (4, 'b c.jpg')]


def test_rows_of_csv_and_json_lines(tmp_path):
    csv, jsonl = tmp_path / 'a.csv', tmp_path / 'a.jsonl'
    csv.write_bytes('a, b\n\n1,2\n'.encode('utf-8-sig'))
    jsonl.write_bytes('\n{"a": "1", "b": "2"}\n\n'.encode('utf-8-sig'))
    headers = []
    assert read_rows(csv, headers.append) == [(3, dict(a='1', b='2'))]
    assert read_rows(jsonl, headers.append) == [(2, dict(a='1', b='2'))]
    assert headers == [['a', 'b']]


def test_wrong_header_is_in_line_1(tmp_path):
    path = tmp_path / 'a.csv'
    path.write_text('a,b\n1,2\n')

    def refuse(names):
        raise InputError('no c')

    with pytest.raises(InputError, match=r'a\.csv, line 1: no c'):
        read_rows(path, refuse)


def test_wrong_line_is_named(tmp_path):
    def parse(line):
        if line == 'b':
            raise InputError('not a')
        return line

    with pytest.raises(InputError, match=r'list\.txt, line 3: not a'):
        parse_each('list.txt', [(1, 'a'), (3, 'b')], parse)


def test_unreadable_list_is_named(tmp_path):
    with pytest.raises(InputError, match=r'cannot read .*gone\.txt: No such file'):
        read_lines(tmp_path / 'gone.txt')
    (tmp_path / 'a.txt').write_bytes(b'\xff\xfe')
    with pytest.raises(InputError, match=r'a\.txt is no text'):
        read_lines(tmp_path / 'a.txt')
