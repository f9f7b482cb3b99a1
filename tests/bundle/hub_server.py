"""A local stand-in of the Hugging Face Hub: the HTTP calls that a download of a repository makes."""

from __future__ import annotations

import json
from hashlib import sha1
from http.server import BaseHTTPRequestHandler
from pathlib import Path

TAG = "2.0.0"


class HubHandler(BaseHTTPRequestHandler):
    """Serves one folder as the repository `someone/lidia` with one branch and one tag.

    Subclasses set `folder`. Other names are answered by 404, as on the Hub.
    """

    folder: Path
    commit = "0123456789abcdef0123456789abcdef01234567"
    requested: list[str]

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        self.requested.append(path)
        api = "/api/models/someone/lidia"
        resolve = f"/someone/lidia/resolve/{self.commit}/"
        if path == f"{api}/refs":
            refs = [
                {"name": name, "ref": f"refs/{kind}/{name}", "targetCommit": self.commit}
                for kind, name in (("heads", "main"), ("tags", TAG))
            ]
            self._send_json({"branches": refs[:1], "tags": refs[1:], "converts": []})
        elif path in (f"{api}/revision/{TAG}", f"{api}/revision/main"):
            self._send_json({"_id": "1", "id": "someone/lidia", "sha": self.commit, "siblings": []})
        elif path == f"{api}/tree/{self.commit}":
            self._send_json([self._describe(file) for file in self._list()])
        elif path.startswith(resolve) and (file := self.folder / path.removeprefix(resolve)) in self._list():
            self._send(file.read_bytes(), "application/octet-stream", self._describe(file)["oid"])
        else:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def _list(self) -> list[Path]:
        return sorted(path for path in self.folder.rglob("*") if path.is_file())

    def _describe(self, file: Path) -> dict[str, object]:
        content = file.read_bytes()
        oid = sha1(b"blob %d\0" % len(content) + content).hexdigest()
        path = file.relative_to(self.folder).as_posix()
        return {"type": "file", "oid": oid, "size": len(content), "path": path}

    def _send_json(self, content: object) -> None:
        self._send(json.dumps(content).encode(), "application/json")

    def _send(self, content: bytes, kind: str, etag: object = None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Repo-Commit", self.commit)
        if etag:
            self.send_header("ETag", f'"{etag}"')
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *record: object) -> None:
        pass
