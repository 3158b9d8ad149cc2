"""`GET /edition`: the services ask it, and write vstorage anew when it is another one."""

import pytest

from logs.models import Edition

pytestmark = [pytest.mark.django_db, pytest.mark.urls("storage.urls")]


def test_it_is_0_at_first(client):
    assert client.get("/edition").json() == {"edition": 0}


def test_it_grows(client):
    Edition.begin()
    Edition.begin()
    assert client.get("/edition").json() == {"edition": 2}


def test_it_cannot_be_posted(client):
    assert client.post("/edition").status_code == 405


def test_a_post_does_not_change_it(client, post):
    post("a line")
    assert client.get("/edition").json() == {"edition": 0}
