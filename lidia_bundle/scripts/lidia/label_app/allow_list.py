"""Checks of a request against the list of endpoints; neither FastAPI nor MONAI Label is needed for them."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache
from typing import Any

from scripts.lidia.label_app import label_values
from scripts.lidia.label_app.endpoints import ENDPOINTS, Endpoint
from scripts.lidia.label_app.values import Offer, Refusal, group


@cache
def _pattern(template: str) -> re.Pattern[str]:
    form = re.escape(template).replace(r"\{", "{").replace(r"\}", "}").replace(r"\:", ":")
    form = re.sub(r"\{(\w+):path\}", r"(?P<\1>.*)", form)
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", form), re.DOTALL)


def find(method: str, path: str, offer: Offer) -> Endpoint:
    """Finds the endpoint of a request and checks what the client has put into its path.

    Args:
        method: of HTTP.
        path: without the query, `%`-escapes resolved.
        offer: what the server has.

    Raises:
        Refusal: there is no such endpoint (404), no such method there (405), it is closed (403), or a part
            of the path is not taken (422).
    """
    methods = []
    for (known, template), endpoint in ENDPOINTS.items():
        match = _pattern(template).fullmatch(path)
        if match and known == method:
            if endpoint.closed:
                raise Refusal(path, endpoint.closed, 403)
            if endpoint.dicomweb and not offer.dicomweb:
                raise Refusal(path, "the study is no DICOMweb server", 404)
            for key, value in match.groupdict().items():
                endpoint.path[key](key, value, offer)
            return endpoint
        methods += [known] if match else []
    if methods:
        raise Refusal(path, f"{method} is not taken here, but {', '.join(methods)}", 405)
    raise Refusal(path, "this server has no such address", 404)


def knows(method: str, path: str) -> bool:
    """Whether there is an endpoint of this address."""
    return any(known == method and _pattern(template).fullmatch(path) for known, template in ENDPOINTS)


def check_query(endpoint: Endpoint, pairs: list[tuple[str, str]], offer: Offer) -> dict[str, str]:
    """Checks the parameters of a request.

    Args:
        endpoint: that of the request.
        pairs: the parameters as they stand in its query.
        offer: what the server has.

    Raises:
        Refusal: a parameter is unknown, missing, stands there twice or has a value that is not taken.
    """
    if endpoint.page:
        return {}
    query: dict[str, str] = {}
    for key, value in pairs:
        if key in query:
            raise Refusal(key, "stands there twice")
        query[key] = value
    # an empty parameter is none; Slicer sends them
    query = {key: value for key, value in query.items() if value}
    checks = dict(endpoint.query)
    if "session_id" in checks and "session_id" in query:
        checks["image"] = label_values.title
    query = group(checks, query, offer, "query")
    for key in endpoint.required:
        if key not in query:
            raise Refusal(key, "is missing")
    if query.get("output") == "dicom_seg" and not offer.dicomweb:
        raise Refusal("output", "dicom_seg needs a study on a DICOMweb server")
    return query


def choose_source(
    endpoint: Endpoint, query: dict[str, str], uploads: Collection[str], offer: Offer
) -> dict[str, str]:
    """Leaves one source of the image in a query: a session, a file that came along, or the datastore.

    Args:
        endpoint: that of the request.
        query: the checked parameters.
        uploads: keys of the files that came with the request.
        offer: what the server has.

    Raises:
        Refusal: the image or the session is not there (404), or there is no source at all.
    """
    if "session_id" in endpoint.query:
        if "session_id" in query:
            if not offer.has_session(query["session_id"]):
                raise Refusal("session_id", "there is no such session", 404)
            return {key: value for key, value in query.items() if key != "image"}
        if "file" in uploads:
            return {key: value for key, value in query.items() if key != "image"}
        if "image" not in query:
            raise Refusal("image", "is missing")
    if endpoint.image in query:
        label_values.present(endpoint.image, query[endpoint.image], offer)
    return query


def check_options(endpoint: Endpoint, content: Any, offer: Offer) -> dict[str, Any]:
    """Checks the JSON of a request, key by key.

    Raises:
        Refusal: a key or a value is not taken.
    """
    options = dict(endpoint.options or {})
    if endpoint.nested:
        for name in endpoint.nested(offer):
            options[name] = lambda key, value, offer: group(endpoint.options or {}, value, offer, key)
    return group(options, content, offer, endpoint.document or "body")
