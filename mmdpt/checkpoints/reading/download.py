"""Download a published file once, into a cache.

Hugging Face's files go through ``huggingface_hub``, with its cache and the user's token for gated
models. For other addresses, an interrupted download goes on where it stopped.
"""

import contextlib
import hashlib
import http.client
import os
import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit
from urllib.request import Request

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from mmdpt.checkpoints.reading.releases import DINOV3
from mmdpt.errors import InputError
from mmdpt.files.addresses import THIS_MACHINE, check_address, open_address

CHUNK = 1 << 20
PARTIAL_CONTENT, RANGE_NOT_SATISFIABLE = 206, 416
GREATEST_DOWNLOAD = 16 << 30
"""Bytes that one file may have. DINOv2's giant has 4.5 GB; an answer may be endless."""
HUB = re.compile(
    r'https://huggingface\.co/(?:(space|dataset)s/)?([^/]+(?:/[^/]+)?)'
    r'/(?:resolve|blob)/([^/]+)/([^?#]+)(?:[?#].*)?'
)
"""An address of Hugging Face: kind of repository, repository, revision and file."""
FORM = 'https://ai.meta.com/resources/models-and-libraries/dinov3-downloads/'
"""Where Meta's own files of DINOv3, below ``DINOV3``, are asked for."""
COLUMNS = (TextColumn('{task.description}'), BarColumn(), DownloadColumn(), TransferSpeedColumn())
EXPECTED = 'a checkpoint is a local path or an https address'
Opener = Callable[[Request], Any]
"""Answers a request as ``urllib.request.urlopen`` does."""


def cache_root() -> Path:
    """Give the folder of what mmdpt downloads: $MMDPT_HOME, or ~/.cache/mmdpt."""
    named = os.environ.get('MMDPT_HOME')
    return Path(named) if named else Path.home() / '.cache' / 'mmdpt'


def cached_path(address: str) -> Path:
    """Give the place of a file in the cache: its host and path, so that no two share one.

    Raises:
        InputError: If it is no https address of a file.
    """
    parts = check_address(address, EXPECTED)
    path = unquote(parts.path).lstrip('/')
    names = re.split(r'[/\\]', path)
    hidden = not parts.hostname or parts.hostname.startswith('.')
    if parts.scheme != 'https' or hidden or not names[-1] or '..' in names or '\0' in path:
        raise InputError(f'{address}: {EXPECTED}')
    return cache_root() / 'checkpoints' / str(parts.hostname) / PurePosixPath(path)


def download(address: str, opener: Opener = open_address) -> Path:
    """Give the local path of a published file, which is fetched the first time.

    A file name such as dpt_large-midas-2f21e586.pt carries the beginning of its SHA-256 (the
    convention of torch.hub), which is checked. The file of a file:// address stays where it is.

    Raises:
        InputError: If the file cannot be had, naming the address and where to put the file; or if
            its checksum is wrong.
    """
    if address.startswith('file://'):
        parts = urlsplit(address)
        if parts.netloc not in ('', *THIS_MACHINE):
            raise InputError(f'{address} is on another machine: {EXPECTED}')
        return Path(unquote(parts.path))
    path = cached_path(address)
    if path.exists():
        return path
    try:
        if hub := HUB.fullmatch(address):
            return _from_hub(*hub.groups())
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(path.with_name(path.name + '.part')) as part:
            if not path.exists():  # by another process, while this one waited
                _fetch(address, part, opener)
                _check_digest(address, part)
                os.replace(part.name, path)
    except (OSError, http.client.HTTPException) as error:
        reason = ' '.join(str(error).split())
        if address.startswith(DINOV3):
            reason += f'; Meta mails a link to those who accept the conditions at {FORM}'
        raise InputError(
            f'cannot download {address} ({reason}): fetch it elsewhere and put it at {path}, '
            'or give its own path'
        ) from error
    return path


def _from_hub(kind: str | None, repository: str, revision: str, file: str) -> Path:
    """Take a file out of huggingface_hub's cache, or download it into that.

    Raises:
        OSError: If the file cannot be had, or has more bytes than ``GREATEST_DOWNLOAD``.
    """
    import huggingface_hub

    wanted: Any = dict(filename=unquote(file), repo_type=kind, revision=unquote(revision))
    try:
        return Path(huggingface_hub.hf_hub_download(repository, **wanted, local_files_only=True))
    except FileNotFoundError:
        pass
    try:
        address = huggingface_hub.hf_hub_url(repository, **wanted)
        size = huggingface_hub.get_hf_file_metadata(address).size
        if size is not None and size > GREATEST_DOWNLOAD:
            raise OSError(f'it has more than the {GREATEST_DOWNLOAD} bytes that are fetched')
        return Path(huggingface_hub.hf_hub_download(repository, **wanted))
    except huggingface_hub.errors.GatedRepoError as error:
        raise OSError(
            f'its owner gates it: accept the conditions at https://huggingface.co/{repository}, '
            'then log in with `hf auth login` or set HF_TOKEN'
        ) from error
    except Exception as error:  # of its own, of its HTTP client and of Xet
        raise OSError(error) from error


@contextlib.contextmanager
def _alone(part: Path) -> Iterator[IO[bytes]]:
    """Open a partial file to go on with, while other processes wait.

    Where the system or the file system has no locks, every process fetches a file of its own.
    """
    with contextlib.ExitStack() as opened:
        file = opened.enter_context(part.open('a+b'))
        try:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        except (ImportError, OSError):
            own = part.with_name(f'{part.name}-{secrets.token_hex(8)}')
            file = opened.enter_context(own.open('w+b'))
            opened.callback(own.unlink, missing_ok=True)
        file.seek(0, os.SEEK_END)
        yield file


def _fetch(address: str, part: IO[bytes], opener: Opener) -> None:
    """Append the missing bytes, or start again if the server does not serve them alone."""
    start = part.tell()
    request = Request(address, headers={'User-Agent': 'mmdpt'})
    if start:
        request.add_header('Range', f'bytes={start}-')
    try:
        response = opener(request)
    except HTTPError as error:
        if error.code != RANGE_NOT_SATISFIABLE or not start:
            raise
        part.seek(0)
        part.truncate()
        _fetch(address, part, opener)
        return
    with response:
        if response.status != PARTIAL_CONTENT:
            part.truncate(0)
            start = 0
        length = response.headers.get('Content-Length')
        total = None if length is None else start + int(length)
        with Progress(*COLUMNS, console=Console(stderr=True)) as bar:
            task = bar.add_task(Path(part.name).stem, total=total, completed=start)
            while chunk := response.read(CHUNK):
                if part.tell() + len(chunk) > GREATEST_DOWNLOAD:
                    part.truncate(0)
                    raise OSError(
                        f'it has more than the {GREATEST_DOWNLOAD} bytes that are fetched'
                    )
                part.write(chunk)
                bar.advance(task, len(chunk))
    part.flush()
    size = part.tell()
    if total is not None and size != total:
        raise OSError(f'stopped after {size} of {total} bytes; the next call goes on from there')


def _check_digest(address: str, part: IO[bytes]) -> None:
    """Compare with the SHA-256 in the file's name, and empty a file that differs."""
    named = re.search(r'-([0-9a-f]{8,64})\.', PurePosixPath(urlsplit(address).path).name)
    if named is None:
        return
    digest = hashlib.sha256()
    part.seek(0)
    while chunk := part.read(CHUNK):
        digest.update(chunk)
    if not digest.hexdigest().startswith(named[1]):
        part.truncate(0)
        raise InputError(
            f'{address}: SHA-256 {digest.hexdigest()} does not begin with {named[1]}; '
            'the file was discarded'
        )
