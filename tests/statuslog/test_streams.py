"""Answers without an end: how many, and who ends them."""

import socket

import pytest

from statuslog.streams import Streams, TooMany


def test_no_more_than_there_may_be():
    streams = Streams(2)
    first = streams.add(lambda: None, None)
    streams.add(lambda: None, None)
    with pytest.raises(TooMany, match="MAX_FOLLOWERS"):
        streams.add(lambda: None, None)
    streams.remove(first)
    streams.remove(first)
    streams.add(lambda: None, None)


def test_one_whose_client_has_gone_is_ended():
    streams, ended = Streams(3), []
    here, there = socket.socketpair()
    stays, other = socket.socketpair()
    streams.add(lambda: ended.append("gone"), here)
    streams.add(lambda: ended.append("stays"), stays)
    streams.add(lambda: ended.append("unknown"), None)
    streams.look_after(stopping=False)
    assert ended == []
    there.close()
    streams.look_after(stopping=False)
    assert ended == ["gone"]
    for used in (here, stays, other):
        used.close()


def test_all_are_ended_when_the_process_stops_and_those_that_are_over_are_not():
    streams, ended = Streams(3), []
    streams.add(lambda: ended.append("a"), None)
    streams.add(lambda: ended.append("b"), None)
    streams.remove(streams.add(lambda: ended.append("over"), None))
    streams.look_after(stopping=True)
    assert sorted(ended) == ["a", "b"]
