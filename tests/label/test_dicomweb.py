"""A study on a DICOMweb server: the proxy for OHIF leads to that server's DICOMweb addresses alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote

import pytest
from label.conftest import served
from label.serving import Server

pytestmark = [pytest.mark.label, pytest.mark.slow]

SERIES = "1.2.826.0.1.3680043.8.498.1"
DICOM_FORM = 'multipart/related; type="application/dicom"; boundary=x'


class Archive(BaseHTTPRequestHandler):
    """Answers each address by that address, and lists no series."""

    requests: list[str] = []

    def do_GET(self) -> None:
        """Answers."""
        length = int(self.headers.get("Content-Length", 0))
        self.requests.append(f"{self.command} {self.path} {self.rfile.read(length)!r}")
        body = b"[]" if "/series?" in self.path else json.dumps(self.path).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/dicom+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory, bundle: Path) -> Iterator[Server]:
    """A server on an archive on this machine."""
    archive = ThreadingHTTPServer(("127.0.0.1", 0), Archive)
    Thread(target=archive.serve_forever, daemon=True).start()
    folder = served(tmp_path_factory.mktemp("remote"), bundle)
    # MONAI Label loads this program from the internet unless it is there
    tool = folder / "lidia_bundle/scripts/lidia/label_app/bin/itkimage2segimage"
    tool.parent.mkdir()
    tool.touch()
    running = Server(folder, studies=f"http://127.0.0.1:{archive.server_port}/dicom-web")
    running.start()
    yield running
    running.end()
    archive.shutdown()
    archive.server_close()


def test_dicomweb_is_reached(remote: Server) -> None:
    path = f"studies/1.2/series/{SERIES}/instances/3/frames/1"
    for kind in ("wado", "qido", "stow"):
        assert remote.reply("GET", f"/proxy/dicom/{kind}/{path}") == (200, f'"/dicom-web/{path}"')
    assert remote.reply("GET", f"/proxy/dicom/{path}") == (200, f'"/dicom-web/{path}"')
    assert remote.reply("POST", "/proxy/dicom/wado/studies", b"--x--", DICOM_FORM)[0] == 200
    assert Archive.requests[-1] == "POST /dicom-web/studies b'--x--'"


@pytest.mark.parametrize(
    "path",
    [
        "../system",
        "..%2f..%2fsystem",
        "%2e%2e/system",
        "studies/../../tools/execute-script",
        "studies/%2e%2e/%2e%2e/system",
        "tools/execute-script",
        "instances/..%5c..",
        "studies@127.0.0.1:1/",
        "studies%3fx=1",
        "studies%23x",
        "studies%0d%0aX-Injected:1",
        "%00",
        "$x",
        "http://127.0.0.1:1/",
    ],
)
def test_nothing_else_is_reached(remote: Server, path: str) -> None:
    before = len(Archive.requests)
    for kind in ("wado/", "qido/", "stow/", ""):
        assert remote.reply("GET", f"/proxy/dicom/{kind}{path}")[0] in (404, 422)
        assert remote.reply("POST", f"/proxy/dicom/{kind}{path}", b"x", DICOM_FORM)[0] in (404, 405, 422)
    assert remote.reply("POST", "/proxy/dicom/wado/studies", b"x", "text/plain")[0] == 422
    assert len(Archive.requests) == before


@pytest.mark.parametrize("image", ["../../etc", "/etc/passwd", "P1", "$x", "1.2/../3", "1" * 65])
def test_an_image_is_the_uid_of_a_series(remote: Server, image: str) -> None:
    before = len(Archive.requests)
    for method, path in (
        ("POST", f"/infer/lidia?image={quote(image, safe='')}"),
        ("GET", f"/datastore/image?image={quote(image, safe='')}"),
        ("DELETE", f"/datastore/image?id={quote(image, safe='')}"),
        ("GET", f"/datastore/label?label={quote(image, safe='')}&tag=final"),
    ):
        assert remote.reply(method, path)[0] == 422, path
    assert len(Archive.requests) == before
