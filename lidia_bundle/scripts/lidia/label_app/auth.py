"""Reads tokens of an OpenID realm such as Keycloak; MONAI Label 0.8.5 itself refuses every token."""

from __future__ import annotations

from typing import Any

import jwt
import requests
from fastapi import HTTPException
from monailabel.config import settings
from monailabel.endpoints.user import auth

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
"""Algorithms that sign with the realm's private key. With HS256 anybody could sign with the public key."""


def read_token(token: str) -> auth.User:
    """Reads a token; replaces MONAI Label's `from_token`, which passes no algorithm to pyjwt 2.

    Args:
        token: a JSON web token, signed by the realm (`MONAI_LABEL_AUTH_REALM_URI`) for the client
            (`MONAI_LABEL_AUTH_CLIENT_ID`), not expired.

    Raises:
        InvalidTokenError: the token is not valid.
        InvalidAudienceError: the token is for another client; a subclass of InvalidTokenError.
        HTTPException: the realm does not respond.
    """
    try:
        key = auth.get_public_key(settings.MONAI_LABEL_AUTH_REALM_URI)
    except (requests.RequestException, ValueError, KeyError) as problem:
        raise HTTPException(503, "the realm that signs the tokens gives no public key") from problem
    # Keycloak writes the client to azp, and to aud only if its administrator configures that
    checks = {"require": ["exp", "iss"], "verify_aud": False}
    claims = jwt.decode(
        token, key, algorithms=ALGORITHMS, issuer=settings.MONAI_LABEL_AUTH_REALM_URI, options=checks
    )
    audience = claims.get("aud", [])
    clients = [claims.get("azp"), *([audience] if isinstance(audience, str) else audience)]
    if settings.MONAI_LABEL_AUTH_CLIENT_ID not in clients:
        raise jwt.InvalidAudienceError("the token was made for another client")
    roles: Any = claims
    for part in settings.MONAI_LABEL_AUTH_TOKEN_ROLES.split("#"):
        roles = roles.get(part) if isinstance(roles, dict) else None
    username = claims.get(settings.MONAI_LABEL_AUTH_TOKEN_USERNAME)
    email = claims.get(settings.MONAI_LABEL_AUTH_TOKEN_EMAIL)
    name = claims.get(settings.MONAI_LABEL_AUTH_TOKEN_NAME)
    return auth.User(username=username or "", email=email, name=name, roles=roles or [])


def authenticate(header: str) -> None:
    """Checks the header `Authorization` of a request.

    Raises:
        HTTPException: 401, it holds no valid token.
    """
    scheme, _, token = header.partition(" ")
    try:
        read_token(token.strip() if scheme.lower() == "bearer" else "")
    except jwt.InvalidTokenError as problem:
        words = f"a token of {settings.MONAI_LABEL_AUTH_REALM_URI} is needed: {problem}"
        raise HTTPException(401, words, {"WWW-Authenticate": "Bearer"}) from problem
