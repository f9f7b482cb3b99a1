"""A MONAI Label server as a process of its own, and the requests that clients make."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import quote

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-label/bin/python"


class Server:
    """One server process, and the few requests that clients make.

    Args:
        folder: holds `lidia_bundle` and `study`; the log goes there, and the server runs there.
        studies: address of a DICOMweb server, instead of `study`.
        settings: environment variables of MONAI Label.
    """

    def __init__(self, folder: Path, studies: str = "", **settings: str) -> None:
        self.studies, self.settings = studies, settings
        self.folder, self.study, self.bundle = folder, folder / "study", folder / "lidia_bundle"
        self.weights = self.bundle / "models/model.pt"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        app = self.bundle / "scripts/lidia/label_app"
        command = [str(PYTHON), "-m", "monailabel.main", "start_server", "--app", str(app)]
        command += ["--studies", self.studies or str(self.study), "--host", "127.0.0.1", "--port", str(port)]
        settings = {"OMP_NUM_THREADS": "1", "HOME": str(self.folder)}
        settings["MONAI_LABEL_AUTO_UPDATE_SCORING"] = "false"
        settings |= self.settings
        with (self.folder / "server.log").open("ab") as log:
            # a group of its own, so that what the server starts can be ended with it
            self.process = subprocess.Popen(
                command,
                env=os.environ | settings,
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        for _ in range(600):
            assert self.process.poll() is None, self.log()
            try:
                self.get("/openapi.json")
                return
            except urllib.error.URLError:
                time.sleep(0.5)
        raise AssertionError(f"the server does not answer:\n{self.log()}")

    def log(self) -> str:
        return (self.folder / "server.log").read_text(encoding="utf-8", errors="replace")[-4000:]

    def kill(self) -> None:
        """As the kernel kills: at once, the server alone."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def left(self) -> list[int]:
        """Processes that the server has started and that still run (Linux)."""
        assert self.process is not None
        collected = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                state, _, group, *_ = stat.read_text(encoding="utf-8").rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(group) == self.process.pid and state != "Z":
                collected.append(int(stat.parent.name))
        return collected

    def end(self) -> None:
        """Ends the server and whatever it has started."""
        assert self.process is not None
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        self.process.wait()

    def ask(self, method: str, path: str, body: bytes | None = None, kind: str = "application/json") -> bytes:
        heads = {"Content-Type": kind}
        request = urllib.request.Request(self.url + path, data=body, method=method, headers=heads)
        with urllib.request.urlopen(request, timeout=600) as answer:
            return answer.read()

    def reply(
        self, method: str, path: str, body: bytes | None = None, kind: str = "", **headers: str
    ) -> tuple[int, str]:
        """Status and text of an answer, whatever it is."""
        heads = headers | ({"Content-Type": kind} if kind else {})
        connection = http.client.HTTPConnection("127.0.0.1", int(self.url.rsplit(":", 1)[1]), timeout=600)
        try:
            connection.request(method, path, body, heads)
            answer = connection.getresponse()
            return answer.status, answer.read().decode("utf-8", "replace")
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        return json.loads(self.ask("GET", path))

    def post(self, path: str, **options: Any) -> Any:
        return json.loads(self.ask("POST", path, json.dumps(options).encode()))

    def infer(self, image: str) -> dict[str, Any]:
        return json.loads(self.ask("POST", f"/infer/lidia?image={quote(image)}&output=json"))

    def labels_of(self, image: str, to: Path, **params: Any) -> Path:
        """The labelmap of an image, written to a file."""
        body, kind = form({"params": json.dumps(params).encode()})
        to.write_bytes(self.ask("POST", f"/infer/lidia?image={quote(image)}&output=image", body, kind))
        return to

    def upload(self, file: Path, image: str) -> None:
        body, kind = form({"params": b"{}"}, file={file.name: file.read_bytes()})
        self.ask("PUT", f"/datastore/image?image={quote(image)}", body, kind)

    def save_label(self, file: Path, image: str, tag: str = "final", **params: Any) -> None:
        body, kind = form({"params": json.dumps(params).encode()}, label={file.name: file.read_bytes()})
        self.ask("PUT", f"/datastore/label?image={quote(image)}&tag={quote(tag)}", body, kind)

    def train(self, **options: Any) -> None:
        self.post("/train/lidia", max_epochs=1, val_split=0.5, **options)

    def training(self) -> dict[str, Any]:
        return self.get("/train/?all=false")

    def wait_for_training(self, *ends: str) -> dict[str, Any]:
        """Polls until the training has one of these words as its status."""
        for _ in range(1200):
            task = self.training()
            if task["status"] in ends:
                return task
            time.sleep(0.5)
        raise AssertionError(f"the training does not end:\n{self.log()}")


def form(fields: dict[str, bytes], **files: dict[str, bytes]) -> tuple[bytes, str]:
    """Body and content type of a multipart request."""
    mark = uuid.uuid4().hex
    parts = [f'name="{name}"\r\n\r\n'.encode() + value for name, value in fields.items()]
    for name, content in files.items():
        for file, data in content.items():
            parts.append(f'name="{name}"; filename="{file}"\r\n\r\n'.encode() + data)
    head = f"--{mark}\r\nContent-Disposition: form-data; ".encode()
    body = b"".join(head + part + b"\r\n" for part in parts) + f"--{mark}--\r\n".encode()
    return body, f"multipart/form-data; boundary={mark}"
