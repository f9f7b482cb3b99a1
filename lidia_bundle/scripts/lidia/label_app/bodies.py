"""Reads and checks request bodies, and writes new bodies from the checked values."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from scripts.lidia.label_app import allow_list, values
from scripts.lidia.label_app.endpoints import Endpoint
from scripts.lidia.label_app.uploads import CHUNK, check_ending, check_upload
from scripts.lidia.label_app.values import Refusal, ServerState

MAX_JSON_BYTES = 1 << 20
MAX_PARTS = 16
FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")

Receive = Callable[[], Awaitable[dict[str, Any]]]


class CountedBody:
    """The body of a request, with a limit on its size.

    Args:
        receive: ASGI receive function.
        max_bytes: largest accepted size.
    """

    def __init__(self, receive: Receive, max_bytes: int) -> None:
        self._receive, self._left, self._ended = receive, max_bytes, False

    async def receive(self) -> dict[str, Any]:
        """Receives a message, like ASGI's `receive`.

        Raises:
            Refusal: the body is too large.
        """
        message = await self._receive()
        self._ended = not message.get("more_body", False)
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise Refusal("body", "is larger than this server accepts (`--conf upload_mb`)")
        return message

    async def drain(self) -> None:
        """Reads to the end, since many clients read a response only after they have sent everything."""
        try:
            while not self._ended:
                await self.receive()
        except Refusal:
            return


@dataclass
class CheckedBody:
    """A checked body.

    Args:
        document: the JSON that is the whole body; None if there is none.
        texts: fields of a form.
        files: files of a form.
        stem: the client's file name without its ending.
    """

    document: dict[str, Any] | None = None
    texts: dict[str, str] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    stem: str = ""

    def write(self) -> tuple[str, int, list[bytes | Path]]:
        """Returns content type, length and parts of the body; a path stands for the content of its file."""
        if self.document is not None:
            raw = json.dumps(self.document, allow_nan=False).encode()
            return "application/json", len(raw), [raw]
        if not self.texts and not self.files:
            return "", 0, []
        mark = uuid4().hex  # random, so that no uploaded file can contain it
        parts: list[bytes | Path] = []
        head = f"--{mark}\r\nContent-Disposition: form-data; name="
        for key, text in self.texts.items():
            parts.append(f'{head}"{key}"\r\n\r\n{text}\r\n'.encode())
        for key, path in self.files.items():
            parts.append(f'{head}"{key}"; filename="volume{"".join(path.suffixes)}"\r\n\r\n'.encode())
            parts += [path, b"\r\n"]
        parts.append(f"--{mark}--\r\n".encode())
        length = sum(part.stat().st_size if isinstance(part, Path) else len(part) for part in parts)
        return f"multipart/form-data; boundary={mark}", length, parts


async def read_body(
    request: Request, endpoint: Endpoint, state: ServerState, folder: Path, max_bytes: int
) -> CheckedBody:
    """Reads a body and checks it.

    Args:
        request: the request.
        endpoint: its endpoint.
        state: state of the server.
        folder: temporary folder for uploaded files.
        max_bytes: largest unpacked volume.

    Raises:
        Refusal: a key, a value or a file is invalid.
    """
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    takes_form = bool(endpoint.document or endpoint.fields or endpoint.uploads)
    if takes_form and kind in FORMS:
        return await _read_form(request, endpoint, state, folder, max_bytes)
    raw = b""
    async for part in request.stream():
        raw += part
        if len(raw) > MAX_JSON_BYTES:
            raise Refusal("body", f"more than {MAX_JSON_BYTES} bytes")
    if not raw:
        _require_files(endpoint, {})
        return CheckedBody()
    if takes_form or endpoint.options is None:
        raise Refusal("body", "a form is needed" if takes_form else "this request has no body")
    if kind != "application/json":
        raise Refusal("content-type", f"application/json is needed, not {values.shorten(kind)}")
    content = parse_json("body", raw)
    return CheckedBody(None if content is None else allow_list.check_options(endpoint, content, state))


async def _read_form(
    request: Request, endpoint: Endpoint, state: ServerState, folder: Path, max_bytes: int
) -> CheckedBody:
    try:
        form = await request.form(max_files=MAX_PARTS, max_fields=MAX_PARTS, max_part_size=MAX_JSON_BYTES)
    except HTTPException as problem:
        raise Refusal("body", str(problem.detail)) from problem
    content = CheckedBody()
    try:
        for key, value in form.multi_items():
            if key in content.texts or key in content.files:
                raise Refusal(key, "is given twice")
            if isinstance(value, UploadFile) != (key in endpoint.uploads):
                raise Refusal(key, f"a file is {'needed' if key in endpoint.uploads else 'not accepted'}")
            if isinstance(value, UploadFile):
                suffix = check_ending(key, value.filename)
                content.stem = Path(str(value.filename)).name[: -len(suffix)]
                content.files[key] = path = folder / f"{key}{suffix}"
                await run_in_threadpool(_store_upload, value, path)
                await run_in_threadpool(check_upload, path, key, endpoint.uploads[key], max_bytes)
            elif key == endpoint.document:
                options = allow_list.check_options(endpoint, parse_json(key, value.encode() or b"{}"), state)
                content.texts[key] = json.dumps(options, allow_nan=False)
            else:
                content.texts |= values.check_group(endpoint.fields, {key: value}, state, "form")
    finally:
        await form.close()
    _require_files(endpoint, content.files)
    return content


def _require_files(endpoint: Endpoint, files: dict[str, Path]) -> None:
    for key in endpoint.uploads:
        # inference accepts other sources of an image
        if key not in files and "session_id" not in endpoint.query:
            raise Refusal(key, "is missing")


def parse_json(key: str, raw: bytes) -> Any:
    """Parses JSON and refuses repeated keys.

    Raises:
        Refusal: it is not valid JSON.
    """

    def refuse_repeated_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        content = dict(pairs)
        if len(content) < len(pairs):
            raise ValueError("a key is given twice")
        return content

    try:
        return json.loads(raw, object_pairs_hook=refuse_repeated_keys)
    except (ValueError, RecursionError) as problem:
        raise Refusal(key, f"is not valid JSON ({type(problem).__name__})") from problem


def _store_upload(upload: UploadFile, path: Path) -> None:
    with path.open("wb") as file:
        shutil.copyfileobj(upload.file, file, CHUNK)


def replay_body(parts: list[bytes | Path], receive: Receive) -> Receive:
    """Makes an ASGI `receive` that returns a body, and then the further messages of the connection.

    Args:
        parts: of the body; a path stands for the content of its file.
        receive: of the connection.
    """

    async def pieces() -> AsyncIterator[bytes]:
        for part in parts:
            if isinstance(part, bytes):
                yield part
                continue
            with part.open("rb") as file:
                while piece := file.read(CHUNK):
                    yield piece

    body, ended = pieces(), False

    async def read() -> dict[str, Any]:
        nonlocal ended
        if ended:
            return await receive()
        try:
            return {"type": "http.request", "body": await anext(body), "more_body": True}
        except StopAsyncIteration:
            ended = True
            return {"type": "http.request", "body": b"", "more_body": False}

    return read
