"""A published file is downloaded once, goes on where it stopped, and is checked."""

import errno
import hashlib
import http.server
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest

from mmdpt.checkpoints.reading import download as downloads
from mmdpt.checkpoints.reading.download import cache_root, cached_path, download
from mmdpt.checkpoints.reading.releases import RELEASES
from mmdpt.errors import InputError

CONTENT = bytes(range(256)) * 40
DIGEST = hashlib.sha256(CONTENT).hexdigest()[:8]
ADDRESS = f'https://models.test/v1/dpt-{DIGEST}.pt'


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT, noting the ranges asked for; ``cut`` bytes of it where that is set."""

    def do_HEAD(self):
        """What huggingface_hub asks for before it downloads."""
        gated = '/gated/' in self.path and not self.headers.get('Authorization')
        self.send_response(401 if gated else 200)
        if gated:
            self.send_header('X-Error-Code', 'GatedRepo')
        for name, value in (('ETag', '"1"'), ('X-Repo-Commit', 'c' * 40)):
            self.send_header(name, value)
        self.send_header('Content-Length', str(len(CONTENT)))
        self.end_headers()

    def do_GET(self):
        asked = self.headers.get('Range')
        self.server.ranges.append(asked)
        start = int(asked.removeprefix('bytes=').rstrip('-')) if asked else 0
        if not self.server.resumes:
            start = 0
        if start >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header('Content-Length', str(len(CONTENT) - start))
        self.end_headers()
        self.wfile.write(CONTENT[start : self.server.cut])

    def log_message(self, *args):
        pass


def open_instead(root, request):
    """Stand in for the internet."""
    local = request.full_url.replace('https://models.test', root)
    return urlopen(Request(local, headers=dict(request.header_items())))


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler) as server:
        server.ranges, server.cut, server.resumes = [], None, True
        server.root = f'http://127.0.0.1:{server.server_address[1]}'
        server.open = partial(open_instead, server.root)
        thread = threading.Thread(target=server.serve_forever, kwargs=dict(poll_interval=0.01))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv('MMDPT_HOME', str(tmp_path))


def start_with(content, address=ADDRESS):
    path = cached_path(address)
    path.parent.mkdir(parents=True)
    path.with_name(f'{path.name}.part').write_bytes(content)


def test_a_file_is_downloaded_once(server, tmp_path, capfd):
    path = download(ADDRESS, server.open)
    assert path == tmp_path / 'checkpoints' / 'models.test' / 'v1' / f'dpt-{DIGEST}.pt'
    assert path.read_bytes() == CONTENT
    assert download(ADDRESS, server.open) == path
    assert server.ranges == [None]
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert path.name in capfd.readouterr().err


def test_an_interrupted_download_goes_on_where_it_stopped(server):
    server.cut = 5000
    message = f'cannot download {ADDRESS} .stopped after 5000 of 10240 bytes'
    with pytest.raises(InputError, match=message):
        download(ADDRESS, server.open)
    assert not cached_path(ADDRESS).exists()
    server.cut = None
    assert download(ADDRESS, server.open).read_bytes() == CONTENT
    assert server.ranges == [None, 'bytes=5000-']


@pytest.mark.parametrize(
    ('resumes', 'size', 'ranges'),
    [(False, 300, ['bytes=300-']), (True, len(CONTENT), ['bytes=10240-', None])],
    ids=['a server without ranges', 'a partial file that is too long'],
)
def test_what_cannot_go_on_is_begun_again(server, resumes, size, ranges):
    server.resumes = resumes
    start_with(b'x' * size)
    assert download(ADDRESS, server.open).read_bytes() == CONTENT
    assert server.ranges == ranges


def test_a_wrong_checksum_is_refused_and_the_next_call_begins_again(server):
    start_with(b'x' * 300)
    with pytest.raises(InputError, match=rf'SHA-256 [0-9a-f]{{64}} does not begin with {DIGEST};'):
        download(ADDRESS, server.open)
    assert not cached_path(ADDRESS).exists()
    assert download(ADDRESS, server.open).read_bytes() == CONTENT
    assert server.ranges == ['bytes=300-', None]


def test_of_two_at_once_one_waits_for_the_other(server):
    """As the processes of a distributed training do."""
    pytest.importorskip('fcntl')
    with ThreadPoolExecutor(2) as pool:
        paths = list(pool.map(lambda address: download(address, server.open), [ADDRESS] * 2))
    assert paths == [cached_path(ADDRESS)] * 2 and paths[0].read_bytes() == CONTENT
    assert server.ranges == [None]


def test_a_name_without_checksum_is_taken_as_it_is(server):
    address = 'https://models.test/model.safetensors'
    assert download(address, server.open).read_bytes() == CONTENT


def test_offline_the_error_says_where_to_put_the_file(server):
    def offline(request):
        raise URLError('no network')

    place = cached_path(ADDRESS)
    message = f'cannot download {ADDRESS} .*no network.*: fetch it elsewhere and put it at {place}'
    with pytest.raises(InputError, match=message):
        download(ADDRESS, offline)
    place.write_bytes(b'by hand')
    assert download(ADDRESS, offline) == place
    gated = RELEASES['dpt-dinov3-7b-synthmix'].address
    with pytest.raises(InputError, match=r'no network.*; Meta mails .* at https://ai\.meta\.com/'):
        download(gated, offline)


def test_a_local_address_is_read_in_place(tmp_path):
    (tmp_path / 'a b.pt').write_bytes(b'')
    assert download((tmp_path / 'a b.pt').as_uri()) == tmp_path / 'a b.pt'


def test_a_download_beyond_the_limit_is_refused_and_removed(server, monkeypatch):
    monkeypatch.setattr(downloads, 'GREATEST_DOWNLOAD', len(CONTENT))
    assert download(ADDRESS, server.open).read_bytes() == CONTENT
    cached_path(ADDRESS).unlink()
    monkeypatch.setattr(downloads, 'GREATEST_DOWNLOAD', len(CONTENT) - 1)
    with pytest.raises(InputError, match=f'has more than the {len(CONTENT) - 1} bytes'):
        download(ADDRESS, server.open)
    place = cached_path(ADDRESS)
    assert not place.exists()
    assert place.with_name(f'{place.name}.part').stat().st_size == 0


def test_files_of_one_name_have_two_places():
    first, second = (f'https://hub.test/{name}/resolve/main/model.bin' for name in 'ab')
    assert cached_path(first) != cached_path(second)


@pytest.mark.parametrize('error', [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_does_not_hinder_a_download(server, monkeypatch, error):
    """Each process fetches a file of its own then."""
    fcntl = pytest.importorskip('fcntl')

    def flock(file, operation):
        raise OSError(error, 'no locks')

    monkeypatch.setattr(fcntl, 'flock', flock)
    start_with(b'of another process')
    assert download(ADDRESS, server.open).read_bytes() == CONTENT
    names = sorted(path.name for path in cached_path(ADDRESS).parent.iterdir())
    assert names == [f'dpt-{DIGEST}.pt', f'dpt-{DIGEST}.pt.part']


@pytest.fixture
def hub(server, monkeypatch, tmp_path):
    """Let huggingface_hub ask the server, with an empty cache."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, 'HF_HUB_CACHE', str(tmp_path / 'hub'))
    monkeypatch.setattr(constants, 'ENDPOINT', server.root)
    address = f'{server.root}/{{repo_id}}/resolve/{{revision}}/{{filename}}'
    monkeypatch.setattr(constants, 'HUGGINGFACE_CO_URL_TEMPLATE', address)
    return server


@pytest.mark.parametrize(
    ('place', 'folder'),
    [
        ('someone/model/resolve/main/a%20b/vit.pth?download=true', 'models--someone--model'),
        ('spaces/some/Space/resolve/main/a%20b/vit.pth', 'spaces--some--Space'),
        ('gpt2/blob/main/a%20b/vit.pth', 'models--gpt2'),
    ],
)
def test_files_of_hugging_face_go_through_its_own_cache(hub, tmp_path, place, folder):
    """It is the users' own, and their tokens open gated models."""
    address = f'https://huggingface.co/{place}'
    path = download(address, pytest.fail)
    assert path == tmp_path / 'hub' / folder / 'snapshots' / ('c' * 40) / 'a b' / 'vit.pth'
    assert path.read_bytes() == CONTENT
    hub.shutdown()
    assert download(address, pytest.fail) == path  # asks nobody


def test_a_file_put_at_its_place_by_hand_goes_before_hugging_face(hub):
    address = 'https://huggingface.co/a/b/resolve/main/vit.pth'
    cached_path(address).parent.mkdir(parents=True)
    cached_path(address).write_bytes(b'by hand')
    assert download(address, pytest.fail).read_bytes() == b'by hand'


def test_without_hugging_face_the_error_says_where_to_put_the_file(hub, monkeypatch):
    address = 'https://huggingface.co/a/b/resolve/main/vit.pth'
    message = f'.*: fetch it elsewhere and put it at {cached_path(address)}'
    monkeypatch.setattr(downloads, 'GREATEST_DOWNLOAD', len(CONTENT) - 1)
    with pytest.raises(InputError, match=f'it has more than the 10239 bytes{message}'):
        download(address, pytest.fail)
    hub.shutdown()
    hub.server_close()
    with pytest.raises(InputError, match=f'cannot download {address} {message}'):
        download(address, pytest.fail)


def test_a_gated_file_needs_the_users_token(hub, monkeypatch):
    address = 'https://huggingface.co/facebook/gated/resolve/main/vit.pth'
    conditions = r'accept the conditions at https://huggingface\.co/facebook/gated, .*HF_TOKEN'
    with pytest.raises(InputError, match=conditions):
        download(address, pytest.fail)
    monkeypatch.setenv('HF_TOKEN', 'hf_mine')
    assert download(address, pytest.fail).read_bytes() == CONTENT


@pytest.mark.parametrize(
    'address',
    [
        'http://a.test/b.pt',
        'https://a.test/',
        'https://a.test/%2e%2e/b',
        'https://a.test/%2e%2e%5cb',
        'https://a.test/b%00.pt',
        'https://../b.pt',
        'http://localhost/b.pt',
        'file://host.test/b.pt',
    ],
)
def test_other_addresses_are_refused(address):
    with pytest.raises(InputError, match='a checkpoint is a local path or an https address'):
        download(address, pytest.fail)


def test_the_cache_is_in_the_home_folder_by_default(monkeypatch):
    monkeypatch.delenv('MMDPT_HOME')
    monkeypatch.setenv('HOME', '/home/someone')
    assert cache_root() == Path('/home/someone/.cache/mmdpt')
