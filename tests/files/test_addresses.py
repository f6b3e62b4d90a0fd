"""Addresses are fetched when asked for, over https (http of this machine), and told apart."""

import http.server
import io
import threading
from urllib import request

import numpy as np
import pytest
from PIL import Image

from mmdpt.errors import InputError
from mmdpt.files import addresses
from mmdpt.files.addresses import open_address
from mmdpt.inference import sources
from mmdpt.inference.sources import find_images

COLOURS = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)


def names_of(source):
    return [image.name for image in find_images(source)]


def png():
    buffer = io.BytesIO()
    Image.fromarray(COLOURS).save(buffer, 'PNG')
    return buffer.getvalue()


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers each path as its name says."""

    def do_GET(self):
        self.server.asked.append((self.path, self.headers['User-Agent']))
        path = self.path.partition('?')[0]
        if path.startswith('/to-'):
            self.send_response(302)
            self.send_header('Location', self.server.targets[path])
            self.end_headers()
            return
        if path == '/missing.png':
            self.send_error(404)
            return
        content = b'<html>' if path == '/page.html' else png()
        length = len(content) + 5 if path == '/short.png' else len(content)
        self.send_response(200)
        if path != '/endless.png':
            self.send_header('Content-Length', str(length))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv('no_proxy', '*')
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler) as server:
        server.asked, server.targets = [], {}
        server.root = f'http://127.0.0.1:{server.server_address[1]}'
        thread = threading.Thread(target=server.serve_forever, kwargs=dict(poll_interval=0.01))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def load(address):
    (image,) = find_images(address)
    return image.load()


def test_an_address_is_fetched_when_it_is_loaded(server):
    (image,) = find_images(f'{server.root}/folder/my%20cat.png?size=2')
    assert (image.name, server.asked) == ('my cat', [])
    np.testing.assert_array_equal(image.load(), COLOURS)
    assert server.asked == [('/folder/my%20cat.png?size=2', 'mmdpt')]


def test_an_address_may_be_written_as_people_write_it(server):
    np.testing.assert_array_equal(load(f'{server.root}/meine Grüße.png'), COLOURS)
    assert server.asked[0][0] == '/meine%20Gr%C3%BC%C3%9Fe.png'


def test_addresses_are_told_apart_and_name_no_folder_above():
    addresses = ['https://a.test/x.png', 'https://b.test/x.png', 'https://b.test/y.png?1']
    names = ['a.test-x', 'b.test-x', 'y-png', 'y-png-2']
    assert names_of([*addresses, 'https://b.test/y.png?2']) == names
    assert names_of('https://a.test/..%2F..%2F..') == ['image']
    assert names_of('https://a.test/') == ['a']


def test_a_redirect_to_http_is_followed(server):
    server.targets['/to-image'] = '/image.png'
    np.testing.assert_array_equal(load(f'{server.root}/to-image'), COLOURS)


@pytest.mark.parametrize(
    ('target', 'message'),
    [
        ('file:///etc/hostname', 'not allowed'),
        (
            'ftp://127.0.0.1/image.png',
            'redirected to ftp://127.0.0.1/image.png, which is not https',
        ),
        ('http://192.0.2.1/image.png', 'redirected to http://192.0.2.1/.*, which is not https'),
        ('data:image/png;base64,AAAA', 'not allowed'),
        ('/to-elsewhere', 'infinite loop'),
    ],
)
def test_a_redirect_to_another_scheme_or_without_end_is_refused(server, target, message, tmp_path):
    server.targets['/to-elsewhere'] = target
    with pytest.raises(InputError, match=f'cannot fetch {server.root}/to-elsewhere: .*{message}'):
        load(f'{server.root}/to-elsewhere')


def test_another_machine_cannot_redirect_to_this_one(server, monkeypatch):
    monkeypatch.setattr(addresses, 'THIS_MACHINE', ('localhost',))
    server.targets['/to-here'] = 'http://localhost:1/image.png'
    asked = request.Request(f'{server.root}/to-here')  # 127.0.0.1 stands for another machine
    with pytest.raises(OSError, match=r'redirected to http://localhost:1/.*, which is on this'):
        open_address(asked)


@pytest.mark.parametrize(
    ('page', 'message'),
    [
        ('missing.png', r'cannot fetch .*missing\.png: HTTP Error 404'),
        ('short.png', r'cannot fetch .*short\.png: stopped after \d+ of \d+ bytes'),
        ('page.html', r'page\.html is no image that can be read'),
    ],
)
def test_what_is_wrong_with_an_answer_is_said(server, page, message):
    with pytest.raises(InputError, match=message):
        load(f'{server.root}/{page}')


@pytest.mark.parametrize('page', ['image.png', 'endless.png'])
def test_an_answer_beyond_the_limit_is_refused(server, page, monkeypatch):
    monkeypatch.setattr(sources, 'GREATEST_DOWNLOAD', len(png()))
    np.testing.assert_array_equal(load(f'{server.root}/{page}'), COLOURS)
    monkeypatch.setattr(sources, 'GREATEST_DOWNLOAD', len(png()) - 1)
    with pytest.raises(InputError, match=rf'{page} has more than {len(png()) - 1} bytes'):
        load(f'{server.root}/{page}')


def test_a_server_that_is_not_there_is_named(server):
    server.shutdown()
    server.server_close()
    with pytest.raises(InputError, match=f'cannot fetch {server.root}/image.png: .*refused'):
        load(f'{server.root}/image.png')


@pytest.mark.parametrize(
    ('address', 'message'),
    [
        ('file:///etc/hostname', 'begins with https://'),
        ('ftp://host.test/a.png', 'begins with https://'),
        ('s3://bucket/a.png', 'begins with https://'),
        ('http://host.test/a.png', 'begins with https://, or http:// on this machine'),
        ('http://localhost.host.test/a.png', 'begins with https://'),
        ('http://localhost@host.test/a.png', 'begins with https://'),
        ('https:///a.png', 'begins with https://'),
        ('http://[::1/a.png', 'is no address: Invalid IPv6'),
        ('https://a.test/a.png\nHost: b', 'is no address: it has control characters'),
    ],
)
def test_other_addresses_are_refused(address, message):
    with pytest.raises(InputError, match=message):
        find_images(address)


def test_a_silent_server_is_not_waited_for(monkeypatch):
    with http.server.socketserver.TCPServer(('127.0.0.1', 0), None) as silent:  # accepts nothing
        monkeypatch.setenv('no_proxy', '*')
        monkeypatch.setattr(addresses, 'TIMEOUT', 0.05)
        with pytest.raises(InputError, match='timed out'):
            load(f'http://127.0.0.1:{silent.server_address[1]}/a.png')
