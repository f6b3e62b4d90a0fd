"""Fetch from the internet over https alone, wherever redirects lead."""

import re
from typing import Any
from urllib import request
from urllib.parse import SplitResult, urlsplit

from mmdpt.errors import InputError

TIMEOUT = 30.0
"""How long a server may send nothing [s]."""
THIS_MACHINE = ('localhost', '127.0.0.1', '::1')
"""Hosts that plain http may be used with: nobody can tamper with answers on the way."""


def check_address(address: str, expected: str) -> SplitResult:
    """Parse an https address, or an http one of this machine; errors say what is ``expected``.

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
    """Send a request as ``urllib.request.urlopen`` does, to addresses that may be fetched.

    A redirect must lead to such an address as well. One from another machine to this machine is
    refused, because servers here may trust local requests.

    Raises:
        OSError: If there is no answer, or a redirect is refused.
        http.client.HTTPException: If the answer is not HTTP.
    """
    return _opener().open(asked, timeout=TIMEOUT if timeout is None else timeout)


class _CheckedRedirects(request.HTTPRedirectHandler):
    """Refuse redirects that urllib follows: from https to http or ftp, or to this machine."""

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
    """Build an opener without the files, FTP and data addresses that ``urlopen`` also opens."""
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
