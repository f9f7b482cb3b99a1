"""Checks requests against the list of endpoints, without FastAPI or MONAI Label."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache
from typing import Any

from scripts.lidia.label_app import label_values
from scripts.lidia.label_app.endpoints import ENDPOINTS, Endpoint
from scripts.lidia.label_app.values import Refusal, ServerState, check_group


@cache
def _compile_template(template: str) -> re.Pattern[str]:
    form = re.escape(template).replace(r"\{", "{").replace(r"\}", "}").replace(r"\:", ":")
    form = re.sub(r"\{(\w+):path\}", r"(?P<\1>.*)", form)
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", form), re.DOTALL)


def find_endpoint(method: str, path: str, state: ServerState) -> Endpoint:
    """Finds the endpoint of a request and checks the values in its path.

    Args:
        method: HTTP method.
        path: without the query, percent-decoded.
        state: state of the server.

    Raises:
        Refusal: there is no such endpoint (404), no such method there (405), it is closed (403), or a part
            of the path is invalid (422).
    """
    methods = []
    for (endpoint_method, template), endpoint in ENDPOINTS.items():
        match = _compile_template(template).fullmatch(path)
        if match and endpoint_method == method:
            if endpoint.closed:
                raise Refusal(path, endpoint.closed, 403)
            if endpoint.dicomweb and not state.dicomweb:
                raise Refusal(path, "the datastore is not a DICOMweb server", 404)
            for key, value in match.groupdict().items():
                endpoint.path[key](key, value, state)
            return endpoint
        methods += [endpoint_method] if match else []
    if methods:
        raise Refusal(path, f"{method} is not allowed; allowed methods are {', '.join(methods)}", 405)
    raise Refusal(path, "this server has no such endpoint", 404)


def has_endpoint(method: str, path: str) -> bool:
    """Returns whether an endpoint has this address."""
    return any(
        endpoint_method == method and _compile_template(template).fullmatch(path)
        for endpoint_method, template in ENDPOINTS
    )


def check_query(endpoint: Endpoint, pairs: list[tuple[str, str]], state: ServerState) -> dict[str, str]:
    """Checks the parameters of a request.

    Raises:
        Refusal: a parameter is unknown, missing, repeated or has an invalid value.
    """
    if endpoint.page:
        return {}
    query: dict[str, str] = {}
    for key, value in pairs:
        if key in query:
            raise Refusal(key, "is given twice")
        query[key] = value
    # an empty parameter counts as missing; Slicer sends such parameters
    query = {key: value for key, value in query.items() if value}
    checks = dict(endpoint.query)
    if "session_id" in checks and "session_id" in query:
        checks["image"] = label_values.check_title
    query = check_group(checks, query, state, "query")
    for key in endpoint.required:
        if key not in query:
            raise Refusal(key, "is missing")
    if query.get("output") == "dicom_seg" and not state.dicomweb:
        raise Refusal("output", "dicom_seg needs a study on a DICOMweb server")
    return query


def select_source(
    endpoint: Endpoint, query: dict[str, str], uploads: Collection[str], state: ServerState
) -> dict[str, str]:
    """Keeps one source of the image in a query: a session, an uploaded file, or the datastore.

    Raises:
        Refusal: the image or the session does not exist (404), or no source is given.
    """
    if "session_id" in endpoint.query:
        if "session_id" in query:
            if not state.has_session(query["session_id"]):
                raise Refusal("session_id", "there is no such session", 404)
            return {key: value for key, value in query.items() if key != "image"}
        if "file" in uploads:
            return {key: value for key, value in query.items() if key != "image"}
        if "image" not in query:
            raise Refusal("image", "is missing")
    if endpoint.image in query:
        label_values.require_image(endpoint.image, query[endpoint.image], state)
    return query


def check_options(endpoint: Endpoint, content: Any, state: ServerState) -> dict[str, Any]:
    """Checks the JSON of a request, key by key.

    Raises:
        Refusal: a key or a value is invalid.
    """
    options = dict(endpoint.options or {})
    if endpoint.nested:
        for name in endpoint.nested(state):
            options[name] = lambda key, value, state: check_group(endpoint.options or {}, value, state, key)
    return check_group(options, content, state, endpoint.document or "body")
