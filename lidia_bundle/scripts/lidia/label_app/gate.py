"""Checks every request to MONAI Label and passes on a new request made of the checked values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from requests import HTTPError, RequestException
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse

from scripts.lidia.label_app import allow_list, label_values
from scripts.lidia.label_app.bodies import MAX_PARTS, CountedBody, Receive, read_body, replay_body
from scripts.lidia.label_app.endpoints import Endpoint
from scripts.lidia.label_app.values import Refusal, ServerState

BODY_HEADERS = (b"content-type", b"content-length", b"content-encoding", b"transfer-encoding", b"expect")
CONNECTION_HEADERS = (b"host", b"cookie", b"connection", *BODY_HEADERS)

Scope = dict[str, Any]


class Gate:
    """An ASGI middleware that checks requests.

    Args:
        app: receives the accepted requests.
        get_state: returns the current state of the server.
        max_bytes: largest body, and largest unpacked volume.
        prefix: path prefix of MONAI Label (`MONAI_LABEL_API_STR`).
        authenticate: raises an HTTPException unless the header `Authorization` holds a valid token; None if
            no tokens are required.
    """

    def __init__(
        self,
        app: Any,
        get_state: Callable[[], ServerState],
        max_bytes: int,
        prefix: str = "",
        authenticate: Callable[[str], Any] | None = None,
    ) -> None:
        self.app, self.get_state, self.max_bytes, self.prefix = app, get_state, max_bytes, prefix
        self.authenticate = authenticate

    async def __call__(self, scope: Scope, receive: Receive, send: Any) -> None:
        """Passes a request on, or refuses it.

        Raises:
            HTTPException: the request is refused, or a server behind this one does not respond.
        """
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        incoming = CountedBody(receive, self.max_bytes)
        with TemporaryDirectory(prefix="lidia-label-") as folder:
            try:
                endpoint = self._find(scope)
                if isinstance(endpoint, RedirectResponse):
                    await endpoint(scope, receive, send)
                    return
                await self._authenticate(scope, endpoint)
                checked = await self._rewrite(scope, incoming, endpoint, Path(folder))
            except Refusal as refusal:
                await incoming.drain()
                raise HTTPException(refusal.status, str(refusal)) from refusal
            try:
                await self.app(*checked, send)
            except Refusal as refusal:  # from a body that is streamed
                raise HTTPException(refusal.status, str(refusal)) from refusal
            except RequestException as problem:
                answer = problem.response if isinstance(problem, HTTPError) else None
                wrong = answer is not None and answer.status_code in (400, 401)
                words = "refuses the request" if answer is not None else "does not respond"
                raise HTTPException(401 if wrong else 502, f"the server behind this one {words}") from problem

    def _find(self, scope: Scope) -> Endpoint | RedirectResponse:
        path, root, state = scope["path"], scope.get("root_path", ""), self.get_state()
        for before in (root, self.prefix):
            path = path[len(before) :] if before and path.startswith(f"{before}/") else path
        try:
            return allow_list.find_endpoint(scope["method"], path, state)
        except Refusal as refusal:
            method, has_endpoint = scope["method"], allow_list.has_endpoint
            if refusal.status != 404 or has_endpoint(method, path) or not has_endpoint(method, f"{path}/"):
                raise
        query = scope["query_string"].decode("latin-1")
        return RedirectResponse(quote(scope["path"]) + "/" + (f"?{query}" if query else ""))

    async def _authenticate(self, scope: Scope, endpoint: Endpoint) -> None:
        if self.authenticate and not endpoint.public:
            header = dict(scope["headers"]).get(b"authorization", b"")
            await run_in_threadpool(self.authenticate, header.decode("latin-1"))

    async def _rewrite(
        self, scope: Scope, incoming: CountedBody, endpoint: Endpoint, folder: Path
    ) -> tuple[Scope, Receive]:
        state = self.get_state()
        query = allow_list.check_query(endpoint, _parse_query(scope["query_string"]), state)
        if endpoint.stream:
            kind = dict(scope["headers"]).get(b"content-type", b"")
            if not kind.startswith(b"multipart/related"):
                raise Refusal("content-type", "multipart/related with DICOM files is needed")
            headers = [entry for entry in scope["headers"] if entry[0] not in CONNECTION_HEADERS]
            return scope | {"headers": [*headers, (b"content-type", kind)]}, incoming.receive
        content = await read_body(Request(scope, incoming.receive), endpoint, state, folder, self.max_bytes)
        if endpoint.names_image and "image" not in query:
            query["image"] = label_values.check_name("file", content.stem, state)
        query = allow_list.select_source(endpoint, query, list(content.files), state)
        kind_of_body, length, parts = content.write()
        headers = [entry for entry in scope["headers"] if entry[0] not in BODY_HEADERS]
        headers.append((b"content-length", str(length).encode()))
        if kind_of_body:
            headers.append((b"content-type", kind_of_body.encode()))
        fresh = {"query_string": urlencode(query).encode(), "headers": headers}
        return scope | fresh, replay_body(parts, incoming.receive)


def _parse_query(query: bytes) -> list[tuple[str, str]]:
    try:
        text = query.decode("ascii")
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_PARTS)
    except ValueError as problem:
        raise Refusal("query", f"cannot be read ({problem})") from problem
