"""A realm of OpenID on this machine, and the tokens that it and others sign; runs with the server's Python.

Prints its address, then a line of JSON for each kind of token, and answers until it is ended.
"""

from __future__ import annotations

import base64
import hmac
import json
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

PASSWORD = "a long $word@"


def pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def tokens(address: str, ours: rsa.RSAPrivateKey, public: bytes) -> dict[str, str]:
    """A token of each kind, the first ones good."""
    other = rsa.generate_private_key(65537, 2048)
    roles = ["monailabel-user", "monailabel-annotator"]
    claims: dict[str, Any] = {"iss": address, "azp": "monailabel-app", "exp": time.time() + 3600}
    claims |= {"preferred_username": "eva", "realm_access": {"roles": roles}}
    unsigned = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=")
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=")
    shared = hmac.digest(public, unsigned + b"." + payload, "sha256")
    confused = b".".join((unsigned, payload, base64.urlsafe_b64encode(shared).rstrip(b"=")))

    def sign(key: rsa.RSAPrivateKey = ours, **changes: Any) -> str:
        content = {name: value for name, value in (claims | changes).items() if value is not None}
        return jwt.encode(content, pem(key), "RS256")

    return {
        "valid": sign(),
        "valid for an audience": sign(azp=None, aud=["account", "monailabel-app"]),
        "without roles": sign(realm_access={"roles": []}),
        "roles of another form": sign(realm_access="monailabel-admin"),
        "expired": sign(exp=time.time() - 60),
        "without an end": sign(exp=None),
        "of another key": sign(other),
        "of another realm": sign(iss="http://127.0.0.1:1/realms/other"),
        "for another client": sign(azp="other"),
        "unsigned": jwt.encode(claims, None, "none"),
        "signed with the public key": confused.decode(),
        "no token": "x.y.z",
    }


def main() -> None:
    ours = rsa.generate_private_key(65537, 2048)
    public = ours.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    complete = ours.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    class Realm(BaseHTTPRequestHandler):
        def reply(self, status: int, content: dict[str, Any]) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            if self.path.endswith("openid-configuration"):
                self.reply(200, {"token_endpoint": f"{address}/token"})
            else:
                self.reply(200, {"public_key": base64.b64encode(public).decode()})

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            if form["password"] == [PASSWORD]:
                self.reply(200, {"access_token": kinds["valid"], "token_type": "Bearer"})
            else:
                self.reply(401, {"error": "invalid_grant"})

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Realm)
    address = f"http://127.0.0.1:{server.server_port}/realms/monailabel"
    kinds = tokens(address, ours, complete)
    sys.stdout.write(json.dumps({"address": address, "tokens": kinds}) + "\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
