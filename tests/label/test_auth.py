"""With `MONAI_LABEL_AUTH_ENABLE` a server answers only requests with a valid token of the realm."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from label.conftest import served
from label.serving import PYTHON, Server

pytestmark = [pytest.mark.label, pytest.mark.slow]

PASSWORD = "a long $word@"
GOOD = ("valid", "valid for an audience")
ROLELESS = ("without roles", "roles of another form")


@pytest.fixture(scope="module")
def guarded(
    tmp_path_factory: pytest.TempPathFactory, bundle: Path
) -> Iterator[tuple[Server, dict[str, str]]]:
    """A server that asks for tokens, and the tokens."""
    folder = served(tmp_path_factory.mktemp("guarded"), bundle)
    realm = subprocess.Popen([str(PYTHON), str(Path(__file__).with_name("realm.py"))], stdout=subprocess.PIPE)
    assert realm.stdout is not None
    ready = json.loads(realm.stdout.readline())
    settings = {"MONAI_LABEL_AUTH_ENABLE": "true", "MONAI_LABEL_AUTH_REALM_URI": ready["address"]}
    running = Server(folder, **settings)
    running.start()
    yield running, ready["tokens"]
    running.end()
    realm.kill()
    realm.communicate()


def ask(server: Server, token: str, method: str = "GET", path: str = "/info/") -> int:
    return server.reply(method, path, Authorization=f"Bearer {token}")[0]


def test_tokens_of_the_realm_are_taken(guarded: tuple[Server, dict[str, str]]) -> None:
    server, tokens = guarded
    assert all(ask(server, tokens[kind]) == 200 for kind in GOOD)
    _, text = server.reply("GET", "/auth/token/valid", Authorization=f"Bearer {tokens['valid']}")
    assert json.loads(text) == {
        "username": "eva",
        "email": None,
        "name": None,
        "roles": ["monailabel-user", "monailabel-annotator"],
    }


def test_other_tokens_are_refused(guarded: tuple[Server, dict[str, str]]) -> None:
    server, tokens = guarded
    bad = tokens.keys() - {*GOOD, *ROLELESS}
    assert len(bad) == 8
    assert {kind: ask(server, tokens[kind]) for kind in bad} == dict.fromkeys(bad, 401)
    assert server.reply("GET", "/info/")[0] == 401
    assert server.reply("GET", "/info/", Authorization="Basic ZXZhOng=")[0] == 401


def test_a_role_is_needed_for_what_it_covers(guarded: tuple[Server, dict[str, str]]) -> None:
    server, tokens = guarded
    assert {ask(server, tokens[kind]) for kind in ROLELESS} == {403}
    assert ask(server, tokens["valid"], "GET", "/logs/") == 403
    assert ask(server, tokens["valid"], "POST", "/train/lidia") == 403


def test_nothing_of_the_study_is_seen_without_a_token(guarded: tuple[Server, dict[str, str]]) -> None:
    server, _ = guarded
    for method, path in (
        ("GET", "/datastore/?output=all"),
        ("POST", "/infer/lidia?image=P1"),
        ("GET", "/datastore/image?image=nobody"),
        ("PUT", "/datastore/image?image=new"),
        ("POST", "/train/lidia"),
        ("GET", "/logs/"),
        ("GET", "/ohif/"),
        ("GET", "/session/243385e6-ec66-11f1-a907-02fc00000001"),
    ):
        assert server.reply(method, path)[0] == 401, path
    assert server.reply("GET", "/")[0] == server.reply("GET", "/openapi.json")[0] == 200


def test_slicer_logs_in(guarded: tuple[Server, dict[str, str]]) -> None:
    server, _ = guarded
    assert json.loads(server.reply("GET", "/auth/")[1])["enabled"] is True
    kind = "application/x-www-form-urlencoded"
    login = {"username": "eva", "password": PASSWORD, "grant_type": "password"}
    status, text = server.reply("POST", "/auth/token", urlencode(login).encode(), kind)
    assert status == 200
    assert ask(server, json.loads(text)["access_token"]) == 200
    for wrong, expected in ({"password": "x"}, 401), ({"grant_type": "$1"}, 422), ({"scope": "x"}, 422):
        body = urlencode(login | wrong).encode()
        assert server.reply("POST", "/auth/token", body, kind)[0] == expected
    log = (server.folder / "server.log").read_text(encoding="utf-8", errors="replace")
    assert PASSWORD not in log
