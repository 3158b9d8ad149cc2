"""gunicorn's threaded worker, for clients that come back at once and for clients that never come to the point.

A thread is only for work: the main thread waits for all clients together, with one selector. It gives a request to a
thread when all of it has arrived, and takes the answer back when the client does not read it. After an answer the
thread stays with the connection for a moment: at full load, handing it to and fro takes half of the interpreter's time.
docs/adr/0007-worker.md says more.
"""

import errno
import logging
import socket
import time
from collections import deque
from selectors import EVENT_READ, EVENT_WRITE
from typing import Any

from statuslog.answering import Answering, Next, refused
from statuslog.connection import Connection, Gone, Refused
from statuslog.streams import streams
from statuslog.waiting import Waiting

log = logging.getLogger(__name__)

HEAD_SECONDS = 10.0  # from the first byte of a request to the end of its headers
BODY_SECONDS, BODY_RATE = 10.0, 32 * 1024  # from there to its end, and one more for so many bytes
SEND_SECONDS, SEND_RATE = 30.0, 4 * 1024  # for a client to take what was made of its answer, and one more for so many
DRAIN_SECONDS, DRAIN_BYTES = 10.0, 64 * 2**20  # to let a client read why its request was refused
ROOM_BYTES = 16 * 2**20  # of bodies that are arriving, and the same of answers that nobody reads
CROWDED_SECONDS = 0.25  # a client has at least so long to send a request, however many others wait to be let in
PRESSING_SECONDS = 1.0  # and so long for the rest of it, or to read its answer, when that holds memory others need
STOP_SECONDS = 2.0  # in which a client may send a request that it had begun when the process was told to stop
LOOK_SECONDS = 0.5


class Worker(Answering):
    """The main thread's part: who gets a thread, and when."""

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        """gunicorn's warning is about its own way to keep connections."""

    def init_process(self) -> None:
        self._turns: deque[Connection] = deque()
        self._in_turn: set[Connection] = set()
        # A quarter of the threads is for those that wait for their turn: long answers, requests for the log, and
        # requests that were sent together with others.
        self._most_in_turn: int = max(1, self.cfg.threads // 4)
        self._looked = self._stopping_at = self._deaf_until = self._told_at = 0.0
        super().init_process()

    def run(self) -> None:
        self._arriving = Waiting(self.poller, EVENT_READ, self._on_request)
        self._sending = Waiting(self.poller, EVENT_WRITE, self._on_taken)
        self._draining = Waiting(self.poller, EVENT_READ, self._on_rest)
        super().run()

    # Connections come

    def accept(self, listener: socket.socket) -> None:
        try:
            sock, client = listener.accept()
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                self._out_of_files(error)
            return  # else it was the client's connection that failed
        self.nr_conns += 1
        connection = Connection(self.cfg, sock, client, listener.getsockname())
        self._arriving.add(connection, self.cfg.keepalive)
        self._on_request(connection)

    def set_accept_enabled(self, enabled: bool) -> None:
        if not (enabled and time.monotonic() < self._deaf_until):
            super().set_accept_enabled(enabled)

    def _out_of_files(self, error: OSError) -> None:
        self._tell_crowd(f"a connection could not be taken: {error.strerror}; raise `ulimit -n`")
        if not self._make_room(self.nr_conns - 10, 0.0):
            self._deaf_until = time.monotonic() + LOOK_SECONDS
            self.set_accept_enabled(False)

    # Requests arrive

    def _on_request(self, connection: Connection) -> None:
        has_begun, was_missing = connection.has_begun(), connection.missing()
        try:
            is_whole = connection.receive()
        except Gone:
            self._arriving.remove(connection)
            self._drop(connection)
        except Refused as error:
            self._arriving.remove(connection)
            self._refuse(connection, error.code, str(error))
        else:
            if is_whole:
                self._arriving.remove(connection)
                self._admit(connection)
            elif (missing := connection.missing()) and not was_missing:
                self._await_body(connection, missing)
            elif connection.has_begun() and not has_begun:
                self._arriving.limit(connection, HEAD_SECONDS)

    def _admit(self, connection: Connection) -> None:
        """Give the request a thread at once. One for the log, which may take long, has its turn, and so has one with
        which others were sent."""
        if connection.asks_for_the_log() or connection.has_more():
            self._take_turn(connection)
            self._give_turns()
        else:
            self.enqueue_req(connection)

    def _await_body(self, connection: Connection, missing: int) -> None:
        if self._arriving.bytes + missing > ROOM_BYTES:
            for other in self._arriving.longest(PRESSING_SECONDS, holding=True):
                self._arriving.remove(other)
                self._refuse(other, 408, "the request did not arrive in time, and others wait")
        if self._arriving.bytes and self._arriving.bytes + missing > ROOM_BYTES:
            self._arriving.remove(connection)
            self._refuse(connection, 503, "too many long requests arrive at once; try again later")
            return
        self._arriving.hold(connection, missing)
        self._arriving.limit(connection, BODY_SECONDS + missing / BODY_RATE)

    # Back in the main thread

    def finish_request(self, conn: Connection, fs: Any) -> None:
        self._in_turn.discard(conn)
        try:
            then = fs.result()
        except Exception:
            log.exception("a connection is given up")
            self._drop(conn)
        else:
            self._follow(conn, then)
        self._give_turns()

    def _follow(self, connection: Connection, then: Next) -> None:
        if then is Next.REQUEST:
            self._arriving.add(connection, self.cfg.keepalive if self.alive else STOP_SECONDS)
            self._resume(connection)
        elif then is Next.SEND:
            unsent = connection.unsent()
            self._sending.add(connection, SEND_SECONDS + unsent / SEND_RATE, unsent)
            if self._sending.bytes > ROOM_BYTES:
                self._make_room_in_memory()
        elif then is Next.TURN:
            self._take_turn(connection)
        else:
            self._close(connection)

    def _resume(self, connection: Connection) -> None:
        """What was read together with the request before may be all of the next one."""
        if not connection.has_begun():
            return
        try:
            is_whole = connection.is_whole()
        except Refused as error:
            self._arriving.remove(connection)
            self._refuse(connection, error.code, str(error))
            return
        if is_whole:
            self._arriving.remove(connection)
            self._take_turn(connection)  # who sends many requests together waits for those who send one
        elif missing := connection.missing():
            self._await_body(connection, missing)
        else:
            self._arriving.limit(connection, HEAD_SECONDS)

    def _take_turn(self, connection: Connection) -> None:
        if connection.broken or streams.holds(connection.sock):  # there are only so many of these
            self.enqueue_req(connection)
        else:
            self._turns.append(connection)

    def _give_turns(self) -> None:
        while self._turns and self._has_room_for_a_turn():
            connection = self._turns.popleft()
            self._in_turn.add(connection)
            self.enqueue_req(connection)

    def _has_room_for_a_turn(self) -> bool:
        if len(self._in_turn) < self._most_in_turn:
            return True
        # Answers without an end keep their threads; streams.py says how many there may be.
        passing = sum(not streams.holds(connection.sock) for connection in self._in_turn)
        return passing < self._most_in_turn

    def _on_taken(self, connection: Connection) -> None:
        """The client reads."""
        try:
            if not connection.flush():
                return
        except OSError:
            self._give_up(connection)
            return
        self._sending.remove(connection)
        if connection.answer is not None:
            self._take_turn(connection)
        else:
            self._follow(connection, Next.REQUEST if connection.keep else Next.CLOSE)
        self._give_turns()

    # Connections go

    def _refuse(self, connection: Connection, code: int, detail: str) -> None:
        self._follow(connection, refused(connection, code, detail))

    def _give_up(self, connection: Connection) -> None:
        """Of one whose client does not read."""
        self._sending.remove(connection)
        connection.give_up()
        if connection.answer is None:
            self._drop(connection)
        else:
            self.enqueue_req(connection)  # the application may take its time to end it

    def _close(self, connection: Connection) -> None:
        """After the answer. A socket that is closed while something of the client's is unread resets the connection,
        and the client may never see the answer."""
        if connection.broken:
            self._drop(connection)
            return
        try:
            connection.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._drop(connection)
            return
        self._draining.add(connection, DRAIN_SECONDS)
        self._on_rest(connection)

    def _on_rest(self, connection: Connection) -> None:
        if not connection.drain() or connection.drained > DRAIN_BYTES:
            self._draining.remove(connection)
            self._drop(connection)

    def _drop(self, connection: Connection) -> None:
        self.nr_conns -= 1
        connection.close()

    def _make_room(self, wanted: int, seconds: float) -> bool:
        """Close connections that have waited for longer than so many seconds until there are only so many left;
        whether there was any such."""
        number = self.nr_conns
        for waiting in (self._draining, self._arriving):
            for connection in waiting.longest(seconds):
                if self.nr_conns <= wanted:
                    break
                waiting.remove(connection)
                self._drop(connection)
        for connection in self._sending.longest(seconds):
            if self.nr_conns <= wanted:
                break
            self._give_up(connection)
        return self.nr_conns < number

    def _make_room_in_memory(self) -> None:
        for connection in self._sending.longest(PRESSING_SECONDS, holding=True):
            if self._sending.bytes <= ROOM_BYTES:
                break
            self._give_up(connection)

    def murder_pending(self) -> None:
        """Called by the main thread after each look at the selector, at least once a second."""
        now = time.monotonic()
        if now < self._looked + LOOK_SECONDS and self.alive and not self._is_crowded():
            return
        self._looked = now
        streams.look_after(stopping=not self.alive)
        for connection in self._draining.overdue():
            self._draining.remove(connection)
            self._drop(connection)
        for connection in self._sending.overdue():
            self._give_up(connection)
        for connection in self._arriving.overdue():
            self._arriving.remove(connection)
            if connection.has_begun():
                self._refuse(connection, 408, "the request did not arrive in time")
            else:
                self._drop(connection)
        if self._is_crowded() and self._make_room(self.worker_connections // 4, CROWDED_SECONDS):
            self._tell_crowd("there are too many connections; some that nothing came from were closed")
        if not self.alive:
            self._stop(now)

    def _stop(self, now: float) -> None:
        self._stopping_at = self._stopping_at or now
        if now > self._stopping_at + STOP_SECONDS:
            for waiting in (self._arriving, self._draining):
                for connection in waiting.longest(0.0):
                    waiting.remove(connection)
                    self._drop(connection)

    def _is_crowded(self) -> bool:
        return bool(self.nr_conns > self.worker_connections * 9 // 10)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        is_calm = self.alive and not self._is_crowded()
        super().wait_for_and_dispatch_events(timeout if is_calm else 0.1)

    def _tell_crowd(self, text: str) -> None:
        if time.monotonic() > self._told_at:
            self._told_at = time.monotonic() + 60
            log.warning("%s", text)
