"""The one way to MONAI Label's endpoints: a request is checked, then written anew of what was checked."""

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
from scripts.lidia.label_app.bodies import MAX_PARTS, Incoming, Receive, read_body, replay
from scripts.lidia.label_app.endpoints import Endpoint
from scripts.lidia.label_app.values import Offer, Refusal

OF_BODY = (b"content-type", b"content-length", b"content-encoding", b"transfer-encoding", b"expect")
OF_CONNECTION = (b"host", b"cookie", b"connection", *OF_BODY)

Scope = dict[str, Any]


class Gate:
    """An ASGI application before another one.

    Args:
        app: gets the requests that pass.
        offer: gives what the server has at the moment.
        max_bytes: the largest body, and the largest volume when it is unpacked.
        prefix: what stands before every address of MONAI Label (`MONAI_LABEL_API_STR`).
        authenticate: raises an HTTPException unless the header `Authorization` holds a valid token; None if
            no tokens are asked for.
    """

    def __init__(
        self,
        app: Any,
        offer: Callable[[], Offer],
        max_bytes: int,
        prefix: str = "",
        authenticate: Callable[[str], Any] | None = None,
    ) -> None:
        self.app, self.offer, self.max_bytes, self.prefix = app, offer, max_bytes, prefix
        self.authenticate = authenticate

    async def __call__(self, scope: Scope, receive: Receive, send: Any) -> None:
        """Passes a request on, or refuses it.

        Raises:
            HTTPException: the request is refused, or a server behind this one does not answer.
        """
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        incoming = Incoming(receive, self.max_bytes)
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
            except Refusal as refusal:  # of a body that is passed on while it comes in
                raise HTTPException(refusal.status, str(refusal)) from refusal
            except RequestException as problem:
                answer = problem.response if isinstance(problem, HTTPError) else None
                wrong = answer is not None and answer.status_code in (400, 401)
                words = "refuses this" if answer is not None else "does not answer"
                raise HTTPException(401 if wrong else 502, f"the server behind this one {words}") from problem

    def _find(self, scope: Scope) -> Endpoint | RedirectResponse:
        path, root, offer = scope["path"], scope.get("root_path", ""), self.offer()
        for before in (root, self.prefix):
            path = path[len(before) :] if before and path.startswith(f"{before}/") else path
        try:
            return allow_list.find(scope["method"], path, offer)
        except Refusal as refusal:
            method, known = scope["method"], allow_list.knows
            if refusal.status != 404 or known(method, path) or not known(method, f"{path}/"):
                raise
        query = scope["query_string"].decode("latin-1")
        return RedirectResponse(quote(scope["path"]) + "/" + (f"?{query}" if query else ""))

    async def _authenticate(self, scope: Scope, endpoint: Endpoint) -> None:
        if self.authenticate and not endpoint.public:
            header = dict(scope["headers"]).get(b"authorization", b"")
            await run_in_threadpool(self.authenticate, header.decode("latin-1"))

    async def _rewrite(
        self, scope: Scope, incoming: Incoming, endpoint: Endpoint, folder: Path
    ) -> tuple[Scope, Receive]:
        offer = self.offer()
        query = allow_list.check_query(endpoint, _pairs(scope["query_string"]), offer)
        if endpoint.stream:
            kind = dict(scope["headers"]).get(b"content-type", b"")
            if not kind.startswith(b"multipart/related"):
                raise Refusal("content-type", "multipart/related with DICOM files is needed")
            headers = [entry for entry in scope["headers"] if entry[0] not in OF_CONNECTION]
            return scope | {"headers": [*headers, (b"content-type", kind)]}, incoming.receive
        content = await read_body(Request(scope, incoming.receive), endpoint, offer, folder, self.max_bytes)
        if endpoint.names_image and "image" not in query:
            query["image"] = label_values.name("file", content.stem, offer)
        query = allow_list.choose_source(endpoint, query, list(content.files), offer)
        kind_of_body, length, parts = content.write()
        headers = [entry for entry in scope["headers"] if entry[0] not in OF_BODY]
        headers.append((b"content-length", str(length).encode()))
        if kind_of_body:
            headers.append((b"content-type", kind_of_body.encode()))
        fresh = {"query_string": urlencode(query).encode(), "headers": headers}
        return scope | fresh, replay(parts, incoming.receive)


def _pairs(query: bytes) -> list[tuple[str, str]]:
    try:
        text = query.decode("ascii")
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_PARTS)
    except ValueError as problem:
        raise Refusal("query", f"cannot be read ({problem})") from problem
