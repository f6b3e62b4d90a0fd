"""What is fetched from the internet: https alone, wherever the answers lead."""

import re
from typing import Any
from urllib import request
from urllib.parse import SplitResult, urlsplit

from mmdpt.errors import InputError

TIMEOUT = 30.0
"""How long an address may be silent [s]."""
THIS_MACHINE = ('localhost', '127.0.0.1', '::1')
"""Hosts that plain http is spoken with: on the way to them nobody can exchange an answer."""


def check_address(address: str, expected: str) -> SplitResult:
    """Take an address apart that may be fetched.

    Args:
        address: Of https, or of http on this machine.
        expected: What the message says an address is, after "address: ".

    Raises:
        InputError: If its scheme is another, it has no host, or there are control characters.
    """
    try:
        parts = urlsplit(address)
        host = parts.hostname
    except ValueError as error:
        raise InputError(f'{address} is no address: {error}') from error
    if re.search(r'[\x00-\x1f\x7f]', address):  # urlsplit leaves some of them out
        raise InputError(f'{address!r} is no address: it has control characters')
    if not host or not _is_allowed(parts):
        raise InputError(f'{address}: {expected}')
    return parts


def open_address(asked: request.Request, timeout: float | None = None) -> Any:
    """Send a request as ``urllib.request.urlopen`` does, over what ``check_address`` allows alone.

    Redirects are followed to such addresses, but from another machine not to this one, whose
    servers may trust whoever runs here.

    Raises:
        OSError: If there is no answer, or a redirect is refused.
        http.client.HTTPException: If the answer is none of HTTP.
    """
    return _opener().open(asked, timeout=TIMEOUT if timeout is None else timeout)


class _CheckedRedirects(request.HTTPRedirectHandler):
    """urllib follows https to http and ftp; here an answer cannot make an address less safe."""

    def redirect_request(
        self, req: request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> request.Request | None:
        target = urlsplit(newurl)
        if not _is_allowed(target):
            raise OSError(f'redirected to {newurl}, which is not https')
        if target.hostname in THIS_MACHINE and urlsplit(req.full_url).hostname not in THIS_MACHINE:
            raise OSError(f'redirected to {newurl}, which is on this machine')
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _is_allowed(parts: SplitResult) -> bool:
    return parts.scheme == 'https' or (parts.scheme == 'http' and parts.hostname in THIS_MACHINE)


def _opener() -> request.OpenerDirector:
    """Leave out what ``urlopen`` also opens: files, FTP and data addresses."""
    opener = request.OpenerDirector()
    for handler in (
        request.ProxyHandler,
        request.HTTPHandler,
        request.HTTPSHandler,
        _CheckedRedirects,
        request.HTTPDefaultErrorHandler,
        request.HTTPErrorProcessor,
        request.UnknownHandler,
    ):
        opener.add_handler(handler())
    return opener
