"""What a thread of the worker (worker.py) does: it answers requests that have arrived, and waits for no client.

After an answer it stays with the connection for a moment: at full load, handing it to and fro takes half of the
interpreter's time.
"""

import logging
import sys
from collections import deque
from enum import Enum, auto
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from statuslog import refusals
from statuslog.answer import Answer
from statuslog.connection import Connection, Gone, Refused

log = logging.getLogger(__name__)

LINGER_MILLISECONDS = 50
PATIENCE_MILLISECONDS = 50  # of a thread whose client does not read, while nobody else needs the thread


class Next(Enum):
    """What becomes of a connection when a thread has done with it."""

    REQUEST = auto()
    SEND = auto()  # what the client has not read; then the answer goes on, if there is more of it
    TURN = auto()  # the answer goes on when others have had a thread
    CLOSE = auto()


class Answering(ThreadWorker):
    """`gthread` whose threads wait for no client."""

    alive: bool
    nr_conns: int
    _turns: deque[Connection]  # of answers that wait for a thread to go on with them

    def handle(self, conn: Connection) -> Next:
        try:
            while True:
                then = self._go_on(conn)
                if then is not Next.REQUEST or not self.alive or self._others_wait():
                    return then
                if not conn.comes_back(LINGER_MILLISECONDS):
                    return Next.REQUEST
        except Gone:
            return Next.CLOSE
        except Refused as error:
            return refused(conn, error.code, str(error))

    def _others_wait(self) -> bool:
        return bool(self._turns) or not self.tpool._work_queue.empty()

    def _go_on(self, connection: Connection) -> Next:
        """Answer the request, or go on with the answer."""
        try:
            if connection.broken:
                self._end(connection)
                return Next.CLOSE
            if connection.answer is None:
                connection.answer = self._begin(next(connection.parser), connection)
            return self._send(connection, connection.answer)
        except StopIteration:  # the client has ended its side, or said "Connection: close"
            return Next.CLOSE
        except Exception as error:
            return self._broken(connection, error)

    def _broken(self, connection: Connection, error: Exception) -> Next:
        answer = connection.answer
        self._end(connection)
        is_the_client = isinstance(error, OSError) and not isinstance(error, TimeoutError)
        if answer is not None and answer.response.headers_sent:
            if not is_the_client:
                log.exception("the answer broke off")
            connection.give_up()
        elif not is_the_client:
            return refused(connection, *refusals.of(error))
        return Next.CLOSE

    def _begin(self, request: Any, connection: Connection) -> Answer:
        answer = connection.answer = Answer(request, connection, self.cfg)
        self.nr += 1
        if self.nr >= self.max_requests and self.alive:
            self.log.info("Autorestarting worker after current request.")
            self.alive = False
        if not self.alive or not self.cfg.keepalive or connection.open_ended:
            answer.response.force_close()
        answer.begin(self.wsgi)
        return answer

    def _send(self, connection: Connection, answer: Answer) -> Next:
        while answer.next_part():
            if not connection.flush_within(0 if self._others_wait() else PATIENCE_MILLISECONDS):
                answer.leave()
                return Next.SEND
            if answer.number > 1 and self._others_wait():
                answer.leave()
                return Next.TURN
        keep = not answer.response.should_close() and connection.request_is_over()
        self._end(connection)
        connection.keep = keep
        if not connection.flush_within(0 if self._others_wait() else PATIENCE_MILLISECONDS):
            return Next.SEND
        return Next.REQUEST if keep else Next.CLOSE

    def _end(self, connection: Connection) -> None:
        """End the answer that is under way, if there is one."""
        answer, connection.answer = connection.answer, None
        if answer is not None:
            try:
                answer.close()
            except Exception:
                log.exception("an answer did not end well")


def refused(connection: Connection, code: int, detail: str) -> Next:
    """Answer with an error and hang up."""
    if code == 500 and sys.exc_info()[0]:
        log.exception("a request could not be answered")
    else:
        refusals.tell(connection.client, code, detail)
    connection.keep = False
    connection.put(refusals.answer(connection.head, code, detail))
    try:
        return Next.CLOSE if connection.flush() else Next.SEND
    except OSError:
        return Next.CLOSE
