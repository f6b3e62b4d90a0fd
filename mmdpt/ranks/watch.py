"""Notice that a rank is lost, name it and end this one, whatever its main thread waits for.

Collectives do not: gloo names an address at best, nccl waits for its timeout. Here every rank holds
a connection to rank 0; the system closes it with the process, and rank 0 tells the others.
"""

import os
import signal
import socket
import time
from contextlib import suppress
from multiprocessing import active_children
from multiprocessing.connection import wait
from threading import Thread
from typing import NoReturn

from .launcher import ANOTHER_LOST, LAUNCHER

BEAT = 5.0
"""How often a rank shows that its threads run [s]."""
SILENCE = 60.0
"""After how long without such a sign a warning names the rank [s]."""
UNREACHABLE = 60.0
"""How long the machine of a rank may leave packets unanswered [s]."""

HEARD = 0.2
"""How long rank 0 outlives what it says, lest its own end be taken for the news [s]."""

ALIVE, LEFT, FAILED, VERDICT = b'.', b'L', b'F', b'V'
ENDED, WITH_ERROR = 'its process has ended', 'it ended with an error'
RANK_BYTES = 4
STRANGER = 5.0
"""How long somebody who says nothing may hold the others up at the start [s]."""
Peers = dict[int, socket.socket]


class RankWatch:
    """A thread that ends this process with ``ANOTHER_LOST`` once another rank is lost.

    Lost is a rank whose process ended without ``leave``, one that left with an error, one whose
    machine does not answer for ``UNREACHABLE``, and one that gives no sign of life (it is stopped
    or swapped out) for ``timeout``. Rank 0 says which, or rank 1 if it is rank 0, except where a
    launcher on the same machine does. A launcher that is gone counts as SIGTERM.

    Args:
        rank: Of this process.
        world_size: Number of ranks.
        peers: Connections, as of ``accept`` on rank 0, of ``call`` on the others.
        timeout: How long a rank may give no sign of life [s].
        beat: Time between such signs [s].
    """

    def __init__(
        self, rank: int, world_size: int, peers: Peers, timeout: float, beat: float = BEAT
    ) -> None:
        self.rank = rank
        self.world_size = world_size
        self.peers = peers
        self.timeout = timeout
        self.beat = beat
        # in beats, not by the clock: all machines may have been suspended
        self.silence = dict.fromkeys(peers, 0)
        self.launcher = int(os.environ.get(LAUNCHER, '0'))
        self.inbox, self.outbox = socket.socketpair()
        # a data loader's worker that outlives its rank would hold the connections open
        os.register_at_fork(after_in_child=self._close)
        self.thread = Thread(target=self._watch, name='rank watch', daemon=True)
        self.thread.start()

    def leave(self, failed: bool = False) -> None:
        """Stop watching and being watched.

        Args:
            failed: The others cannot go on without this rank: they end.
        """
        if self.thread.is_alive():
            self.outbox.sendall(FAILED if failed else LEFT)
            self.thread.join()
        self._close()

    def wait_for_verdict(self) -> None:
        """Give the thread time to end this process, after a collective has failed."""
        self.thread.join(2 * self.beat)

    def _watch(self) -> None:
        next_beat = time.monotonic()
        while True:
            pause = max(0.0, next_beat - time.monotonic())
            ready = wait([self.inbox, *self.peers.values()], pause)
            if self.inbox in ready:
                self._tell_all(self.inbox.recv(1))
                return
            for peer, connection in list(self.peers.items()):
                if connection in ready:
                    self._listen(peer, connection)
            if time.monotonic() >= next_beat:
                next_beat = time.monotonic() + self.beat
                self._tell_all(ALIVE)
                self._count_silence()
                self._look_for_launcher()

    def _listen(self, peer: int, connection: socket.socket) -> None:
        try:
            said = connection.recv(4096)
        except BlockingIOError:
            return
        except ConnectionError:
            said = b''
        except OSError as error:  # UNREACHABLE is over
            self._lost(peer, f'its machine does not answer ({error.strerror})')
        if not said:
            self._lost(peer, ENDED)
        self.silence[peer] = 0
        message = said.lstrip(ALIVE)
        if message.startswith(LEFT):
            del self.peers[peer], self.silence[peer]
            connection.close()
        elif message.startswith(FAILED):
            self._lost(peer, WITH_ERROR)
        elif message.startswith(VERDICT):
            lost, reason = message[1:].decode().split(' ', 1)
            self._end(int(lost), reason)

    def _tell_all(self, message: bytes) -> None:
        for connection in self.peers.values():
            with suppress(OSError):  # full, as of a stopped process; a lost one is heard of
                connection.send(message)

    def _count_silence(self) -> None:
        for peer in self.silence:
            self.silence[peer] += 1
            silent = self.silence[peer] * self.beat
            if silent >= self.timeout:
                self._lost(peer, f'it has given no sign of life for {silent:.0f} s')
            if silent - self.beat < SILENCE <= silent:
                _write(f'warning: no sign of life of {self._name(peer)} for {silent:.0f} s')

    def _look_for_launcher(self) -> None:
        if self.launcher and os.getppid() != self.launcher:
            self.launcher = 0
            _write(f'warning: the launcher of {self._name(self.rank)} has ended, so it ends too')
            os.kill(os.getpid(), signal.SIGTERM)

    def _lost(self, rank: int, reason: str) -> NoReturn:
        if self.rank == 0:
            self._tell_all(VERDICT + f'{rank} {reason}'.encode())
            time.sleep(HEARD)
        self._end(rank, reason)

    def _end(self, lost: int, reason: str) -> NoReturn:
        """End this process without what a main thread that hangs could keep from ending."""
        local = int(os.environ.get('LOCAL_WORLD_SIZE', '0'))
        same_machine = local > 0 and lost // local == self.rank // local
        told_by_launcher = self.launcher and same_machine and reason in (ENDED, WITH_ERROR)
        if self.rank == (1 if lost == 0 else 0) and not told_by_launcher:
            _write(f'error: {self._name(lost)} is lost: {reason}; the others end')
        for worker in active_children():  # of data loaders: they would miss this process aloud
            worker.kill()
        os._exit(ANOTHER_LOST)

    def _name(self, rank: int) -> str:
        return f'rank {rank} of {self.world_size}'

    def _close(self) -> None:
        for connection in (*self.peers.values(), self.inbox, self.outbox):
            connection.close()


def listen(host: str) -> socket.socket:
    """Open rank 0's socket for the others, at its own address where the machine knows it."""
    try:
        return socket.create_server((host, 0))
    except OSError:  # a name that only other machines resolve to this one
        return socket.create_server(('', 0))


def accept(listener: socket.socket, world_size: int, token: bytes, timeout: float) -> Peers:
    """Take the connections of ranks 1 to ``world_size`` - 1; others are refused.

    Raises:
        TimeoutError: If none comes for ``timeout`` [s] and some are missing.
    """
    peers: Peers = {}
    listener.settimeout(timeout)
    with listener:
        while len(peers) < world_size - 1:
            connection, _ = listener.accept()
            connection.settimeout(STRANGER)
            try:
                said = connection.recv(len(token) + RANK_BYTES, socket.MSG_WAITALL)
            except OSError:
                said = b''
            if said[: len(token)] == token:
                peers[int.from_bytes(said[len(token) :], 'big')] = _prepared(connection)
            else:
                connection.close()
    return peers


def call(address: tuple[str, int], token: bytes, rank: int, timeout: float) -> Peers:
    """Connect a rank to rank 0.

    Raises:
        OSError: If rank 0 does not answer.
    """
    connection = socket.create_connection(address, timeout)
    connection.sendall(token + rank.to_bytes(RANK_BYTES, 'big'))
    return {0: _prepared(connection)}


def _prepared(connection: socket.socket) -> socket.socket:
    connection.setblocking(False)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, 'TCP_USER_TIMEOUT'):  # on Linux
        unanswered = int(1000 * UNREACHABLE)  # [ms]
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, unanswered)
    return connection


def _write(line: str) -> None:
    """Write to standard error, past its lock, which a thread that hangs may hold."""
    os.write(2, f'{line}\n'.encode())
