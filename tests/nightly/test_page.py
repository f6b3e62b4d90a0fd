"""``mmdpt app`` in a real browser: headless Chromium, driven by Playwright.

MMDPT_PAGE='--config CONFIG --checkpoint FILE' shows that model, and MMDPT_SCREENSHOTS=DIR keeps the
pictures, of a rendered example, for docs/app.md.
"""

import http.client
import io
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(900)]

REPO = Path(__file__).resolve().parents[2]
PACKAGES = Path(sys.prefix) / 'app'
"""Where ``make test-nightly`` installs requirements/app.txt."""
BROWSERS = ('chromium', 'chromium-browser', 'google-chrome')
RELATIVE = "model['depth_head'].update(output='relative', max_depth=None, clamp=(None, None))\n"
PATIENCE = 120_000
"""How long a step of the browser may take on a busy machine [ms]."""


@pytest.fixture(scope='module', autouse=True)
def packages():
    """Find Gradio and Playwright, in the environment or beside it."""
    sys.path.append(str(PACKAGES))
    for package in ('gradio', 'playwright'):
        if find_spec(package) is None:
            pytest.skip(f'no {package}: pip install -r requirements/app.txt')
    yield
    sys.path.remove(str(PACKAGES))


@pytest.fixture(scope='module')
def address(packages, written, tmp_path_factory):
    """Host and port of a page with a tiny model of labels and relative depth."""
    model = shlex.split(os.environ.get('MMDPT_PAGE', ''))
    if not model:
        config, checkpoint = written('joint', RELATIVE, name='joint-relative')
        model = ['--config', config, '--checkpoint', checkpoint]
    folder = tmp_path_factory.mktemp('server')
    paths = os.pathsep.join([str(REPO), str(PACKAGES), os.environ.get('PYTHONPATH', '')])
    server = subprocess.Popen(
        [sys.executable, REPO / 'tools' / 'app.py', *model, '--device', 'cpu'],
        cwd=folder,
        env={**os.environ, 'PYTHONPATH': paths, 'TMPDIR': str(folder)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with server:
        lines = [server.stdout.readline() for _ in range(2)]
        assert lines[1] == 'Open this address in a browser; Ctrl-C ends the page.\n', lines
        yield re.fullmatch(r'http://(127\.0\.0\.1:\d+)/\n', lines[0])[1]
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 143
    assert os.listdir(folder) == []  # no upload and no cache is left


@pytest.fixture
def browser(packages):
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f'no browser: none of {", ".join(BROWSERS)} is on the PATH')
    options = ['--no-sandbox', '--enable-unsafe-swiftshader']  # as root; WebGL without a GPU
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=path, args=options)


@pytest.fixture
def page(browser, address):
    """The opened page; it may ask nobody but its own server."""
    page = browser.new_page(viewport=dict(width=1400, height=1000))
    page.set_default_timeout(PATIENCE)
    asked, errors = [], []
    page.on('request', lambda request: asked.append(request.url))
    page.on('pageerror', lambda error: errors.append(error))
    page.goto(f'http://{address}', wait_until='commit')
    page.wait_for_selector('input[type=file]', state='attached')
    yield page
    elsewhere = [u for u in asked if not u.startswith((f'http://{address}/', 'data:', 'blob:'))]
    assert not elsewhere and not errors


def upload(page, path):
    page.set_input_files('input[type=file] >> nth=0', path)


def click(page, column, row, size):
    """Click a pixel of the map, whose picture is (width, height) [px]; give what is said of it."""
    before = page.locator('#value').inner_text()
    image = page.locator('#depth img')
    scale = image.bounding_box()['width'] / size[0]
    image.click(position=dict(x=(column + 0.5) * scale, y=(row + 0.5) * scale))
    page.wait_for_function(
        'old => (now => now.startsWith("Column") && now != old)'
        '(document.querySelector("#value").innerText.trim())',
        arg=before.strip(),
    )
    return page.locator('#value').inner_text().strip()


def add(page, pixel, metres, size):
    """Click a pixel and add its depth [m] to the known points."""
    click(page, *pixel, size)
    page.get_by_label('Known depth').fill(str(metres))
    page.get_by_role('button', name='Add the known point').click()
    page.get_by_role('gridcell', name=str(metres), exact=True).first.wait_for()


def keep(page, name):
    if folder := os.environ.get('MMDPT_SCREENSHOTS'):
        page.screenshot(path=f'{folder}/{name}.png', full_page=True)


def canvas(page):
    """Give the mesh's picture as it is drawn, without the buttons on it, (H, W, 3)."""
    shot = page.locator('canvas').screenshot()
    return np.asarray(Image.open(io.BytesIO(shot)).convert('RGB'))[60:]


def centre(page, right):
    """Give a place on the canvas, right of its centre by some pixels."""
    box = page.locator('canvas').bounding_box()
    return box['x'] + box['width'] / 2 + right, box['y'] + box['height'] / 2


def ask(address, method, path, body=None, headers=None):
    """Send a request whose path nobody shortens; give status and body."""
    connection = http.client.HTTPConnection(address, timeout=120)
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    return answer.status, answer.read()


def get(address, path):
    return ask(address, 'GET', path)


def upload_to(address, name, data):
    """Upload a file without a browser; give status and answer."""
    head = f'--b\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
    kind = {'Content-Type': 'multipart/form-data; boundary=b'}
    body = head.encode() + data + b'\r\n--b--\r\n'
    return ask(address, 'POST', '/gradio_api/upload', body, kind)


def predicted(address, path):
    """Let the server predict a file without a browser; give the stream of its answers."""
    config = json.loads(get(address, '/config')[1])
    number = next(d['id'] for d in config['dependencies'] if d['targets'][0][1] == 'change')
    picture = dict(path=path, meta={'_type': 'gradio.FileData'})
    order = json.dumps(dict(data=[picture, 0], fn_index=number, session_hash='s'))
    kind = {'Content-Type': 'application/json'}
    assert ask(address, 'POST', '/gradio_api/queue/join', order, kind)[0] == 200
    return get(address, '/gradio_api/queue/data?session_hash=s')[1].decode()


def test_a_photograph_is_read_aligned_turned_and_downloaded(page, data_root, tmp_path):
    photograph = min((data_root / 'demo_images').glob('*.jpg'))
    size = Image.open(photograph).size
    upload(page, photograph)
    page.get_by_text(f'{size[0]} x {size[1]} px').wait_for()
    page.get_by_text('No mesh.').wait_for()
    points = []
    for column, row in [(size[0] // 2, size[1] - 20), (size[0] // 3, 20), (20, size[1] // 2)]:
        said = click(page, column, row, size)
        found = re.match(r'Column (\d+), row (\d+): (\S+) \(relative disparity', said)
        assert abs(int(found[1]) - column) <= 2 and abs(int(found[2]) - row) <= 2
        points.append((float(found[3]), column, row))
    points.sort(reverse=True)  # near first
    for (_, *pixel), metres in zip(points[::2], (2, 8), strict=True):
        add(page, pixel, metres, size)
    page.get_by_text('the camera is not known').wait_for()
    assert re.match(r'Column \d+, row \d+: 8 m, ', page.locator('#value').inner_text())
    page.locator('input[type=range]').click(position=dict(x=150, y=5))
    page.get_by_text('(field of view)').wait_for()  # predicted anew: the points are gone
    assert 'relative disparity' in click(page, *points[0][1:], size)


def test_mesh_of_an_example_turns_and_every_file_comes_down(page, address):
    page.locator('.gallery-item').first.click()
    page.get_by_text('640 x 480 px, focal length').wait_for()
    for pixel, metres in (((320, 470), 2), ((320, 20), 5)):
        add(page, pixel, metres, (640, 480))
    page.locator('canvas').wait_for()
    for _ in range(30):
        if ((before := canvas(page)) < 200).all(axis=-1).sum() > 50:
            break
        page.wait_for_timeout(1000)
    keep(page, 'page')
    page.mouse.move(*centre(page, 0))
    page.mouse.down()
    page.mouse.move(*centre(page, 120), steps=5)
    page.mouse.up()
    page.wait_for_timeout(2000)
    assert (canvas(page) != before).any(axis=-1).sum() > 50
    for box in page.get_by_role('checkbox').all():
        box.check()
    page.get_by_role('button', name='Write the files').click()
    page.locator('#files a').first.wait_for()
    links = {link.get_attribute('href') for link in page.locator('#files a').all()}
    found = {link.rpartition('_')[2]: get(address, link.partition(address)[2]) for link in links}
    assert set(found) == {
        *('colour.jpg', 'overlay.jpg', 'side-by-side.jpg', 'labels.png', 'labels.npy'),
        *('depth.png', 'depth.pfm', 'depth.npy', 'points.ply', 'mesh.glb'),
        *('normals.png', 'normals.npy'),
    }
    assert all(status == 200 and len(body) > 500 for status, body in found.values())
    assert found['mesh.glb'][1].startswith(b'glTF')
    page.set_viewport_size(dict(width=400, height=900))
    page.wait_for_timeout(1000)
    assert page.evaluate('document.documentElement.scrollWidth') <= 400
    keep(page, 'phone')


def test_nothing_outside_of_its_folder_is_readable(address):
    status, body = upload_to(address, 'a.txt', b'hello')
    (own,) = json.loads(body)
    assert status == 200 and get(address, f'/gradio_api/file={own}') == (200, b'hello')
    folder = Path(own).parents[2]  # of the page, which lies in the server's working folder
    secret = folder.parent / 'secret.txt'
    secret.write_text('secret')
    for path in (
        *('/etc/passwd', '//etc/passwd', '../' * 12 + 'etc/passwd', 'secret.txt', './secret.txt'),
        *(f'{folder}/../secret.txt', f'{folder}/uploads/%2e%2e/%2e%2e/secret.txt'),
        *(str(secret), '/proc/self/environ', 'file:///etc/passwd'),
    ):
        for route in ('/gradio_api/file=', '/file=', '/static/', '/assets/', '/theme.css/../'):
            status, body = get(address, route + path)
            assert status >= 400 and b'root:' not in body and body != b'secret', (route, path)
    answer = predicted(address, str(secret))
    secret.unlink()
    assert '"success":false' in answer and 'is no image' not in answer  # not even opened


def test_uploads_are_limited_as_predict_limits_them(address):
    assert upload_to(address, 'a.png', bytes(129 << 20))[0] == 413
    picture = io.BytesIO()
    Image.new('1', (15_000, 15_000)).save(picture, 'PNG')
    (path,) = json.loads(upload_to(address, 'bomb.png', picture.getvalue())[1])
    answer = predicted(address, path)
    assert re.search(r'"bomb\.png (is too large|has 15000 x 15000)', answer)
    assert str(Path(path).parent) not in answer
