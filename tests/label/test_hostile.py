"""Hostile requests to every endpoint of a running server: nothing is run, read or changed."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from hashlib import sha256
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from label.hostile import KEYS, MARKER, NESTED, TEXTS
from label.serving import PYTHON, Server, form

from scripts.lidia.label_app.endpoints import ENDPOINTS, Endpoint
from scripts.lidia.label_app.label_values import check_secret, check_user

pytestmark = [pytest.mark.label, pytest.mark.slow]

EACH = 4
"""How many hostile values each key gets here; `test_allow_list.py` gives all of them to each."""

CHOSEN = cycle(TEXTS)
OPEN = {key: endpoint for key, endpoint in ENDPOINTS.items() if not endpoint.closed and not endpoint.page}


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def state(server: Server) -> tuple[dict[str, str], dict[str, str], Any]:
    """Files of the study, weights, and the list of images and labels."""
    return digests(server.study), digests(server.bundle / "models"), server.get("/datastore/?output=all")


@pytest.fixture(autouse=True)
def _nothing_happens(server: Server) -> Iterator[None]:
    """The study, the weights and the list are whole, the server lives, and no hostile text was run."""
    before = state(server)
    yield
    assert server.process is not None and server.process.poll() is None, server.log()
    for _ in range(100):  # the server notices a while later what was removed
        if state(server) == before:
            break
        time.sleep(0.2)
    assert state(server) == before
    for folder in (server.folder, Path.cwd(), Path("/tmp")):
        assert not list(folder.glob(f"*{MARKER}*"))
    assert not list(server.folder.rglob(f"*{MARKER}*"))


@pytest.fixture
def valid(patients: list[str]) -> dict[str, str]:
    """A parameter of each name that would be taken."""
    return {"image": patients[0], "id": patients[0], "label": patients[0], "tag": "final", "model": "lidia"}


def address(template: str, valid: dict[str, str], **values: str) -> str:
    values = valid | {"strategy": "least_certain", "method": "uncertainty"} | values
    session = {"session_id": "243385e6-ec66-11f1-a907-02fc00000001", "path": "studies"}
    for key, value in (session | values).items():
        template = template.replace(f"{{{key}:path}}", quote(value, safe="")).replace(
            f"{{{key}}}", quote(value, safe="")
        )
    return template


def body_of(endpoint: Endpoint, options: Any) -> tuple[bytes, str]:
    text = json.dumps(options).encode()
    return form({endpoint.document: text}) if endpoint.document else (text, "application/json")


def test_every_endpoint_of_the_server_is_on_the_list(server: Server) -> None:
    paths = server.get("/openapi.json")["paths"]
    routes = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert len(routes) > 35
    assert routes <= ENDPOINTS.keys()
    for method, path in routes:
        operation, endpoint = paths[path][method.lower()], ENDPOINTS[method, path]
        if endpoint.closed:
            continue
        # without tokens MONAI Label lists the parameter `token` everywhere and reads it nowhere
        parameters = {entry["name"] for entry in operation.get("parameters", ())} - {"token"}
        assert parameters == endpoint.path.keys() | endpoint.query.keys(), (method, path)


def test_no_path_takes_a_hostile_text(server: Server, valid: dict[str, str]) -> None:
    for (method, template), endpoint in ENDPOINTS.items():
        for key in endpoint.path:
            for _ in range(EACH):
                status, text = server.reply(method, address(template, valid, **{key: next(CHOSEN)}))
                assert status in (404, 422), f"{method} {template}: {status} {text[:300]}"


def test_no_parameter_takes_a_hostile_text(server: Server, valid: dict[str, str]) -> None:
    for (method, template), endpoint in OPEN.items():
        for key in endpoint.query:
            if endpoint.dicomweb or template.startswith("/auth"):
                continue
            for _ in range(EACH):
                query = {name: valid[name] for name in endpoint.required} | {key: next(CHOSEN)}
                status, text = server.reply(method, f"{address(template, valid)}?{urlencode(query)}")
                assert status == 422, f"{method} {template} {query}: {status} {text[:300]}"
                assert method == "HEAD" or key in json.loads(text)["detail"]


def test_no_option_takes_a_hostile_value(server: Server, valid: dict[str, str]) -> None:
    nested = cycle(NESTED)
    for (method, template), endpoint in OPEN.items():
        query = urlencode({name: valid[name] for name in endpoint.required})
        for key in endpoint.options or {}:
            for value in [*(next(CHOSEN) for _ in range(EACH)), next(nested)]:
                body = body_of(endpoint, {key: value})
                status, text = server.reply(method, f"{address(template, valid)}?{query}", *body)
                assert status == 422, f"{method} {template} {key}={value!r}: {status} {text[:300]}"
                assert key in json.loads(text)["detail"]


def test_no_request_takes_an_unknown_key(server: Server, valid: dict[str, str]) -> None:
    keys = cycle(KEYS)
    for (method, template), endpoint in OPEN.items():
        if endpoint.dicomweb or template.startswith("/auth"):
            continue
        query = {name: valid[name] for name in endpoint.required}
        path = address(template, valid)
        for key in (next(keys) for _ in range(EACH)):
            if key not in endpoint.query:
                status, text = server.reply(method, f"{path}?{urlencode(query | {key: '1'})}")
                assert status == 422, f"{method} {template} ?{key[:40]}: {status} {text[:300]}"
            if endpoint.options is not None:
                body = body_of(endpoint, {key: 1})
                status, text = server.reply(method, f"{path}?{urlencode(query)}", *body)
                assert status == 422, f"{method} {template} {key[:40]}: {status} {text[:300]}"
            if endpoint.uploads and key not in endpoint.uploads:
                body = form({}, **{"a": {key.replace(chr(0), "0"): b"x"}})
                status, text = server.reply(method, f"{path}?{urlencode(query)}", *body)
                assert status == 422, f"{method} {template} {key[:40]}: {status} {text[:300]}"


BODIES: dict[str, bytes] = {
    "no JSON": b"{'max_epochs': 1}",
    "twice": b'{"max_epochs": 1, "max_epochs": 2}',
    "deep": b'{"max_epochs": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "long number": b'{"max_epochs": ' + b"9" * 10_000 + b"}",
    "not a number": b'{"max_epochs": NaN}',
    "infinite": b'{"val_split": 1e999}',
    "no UTF-8": b'{"client_id": "\xff\xfe"}',
    "lone surrogate": b'{"client_id": "\\ud800"}',
    "null byte": b'{"client_id": "a\\u0000b"}',
    "large": b'{"client_id": "' + b"x" * 3_000_000 + b'"}',
    "many": b"{" + b",".join(b'"k%d": 1' % number for number in range(50_000)) + b"}",
    "a list": b"[1]",
    "a text": b'"$1"',
}


@pytest.mark.parametrize("kind", BODIES)
def test_odd_bodies_are_refused(server: Server, valid: dict[str, str], kind: str) -> None:
    for path in (
        "/train/lidia",
        "/batch/infer/lidia",
        "/activelearning/least_certain",
        "/scoring/uncertainty",
    ):
        status, text = server.reply("POST", path, BODIES[kind], "application/json")
        assert status == 422, f"{path}: {status} {text[:300]}"
        status, _ = server.reply("POST", path, BODIES[kind], "text/plain")
        assert status == 422
    if kind == "no UTF-8":
        return  # the text of a form is then Latin-1, as HTTP once had it
    path = f"/infer/lidia?image={quote(valid['image'])}"
    coded = b"params=" + quote(BODIES[kind]).encode(), "application/x-www-form-urlencoded"
    for body in (form({"params": BODIES[kind]}), coded, (BODIES[kind], "application/json")):
        status, text = server.reply("POST", path, *body)
        assert status == 422, f"{body[1]}: {status} {text[:300]}"


def test_odd_forms_are_refused(server: Server, truth: Path, valid: dict[str, str]) -> None:
    data = (truth / f"{valid['image']}.nii.gz").read_bytes()
    image = "/datastore/image?image=new"
    label = f"/datastore/label?image={quote(valid['image'])}&tag=final"
    infer = f"/infer/lidia?image={quote(valid['image'])}"
    cases: list[tuple[str, str, tuple[bytes, str]]] = [
        ("PUT", image, form({"params": b"{}"})),
        ("PUT", image, form({"file": b"text"})),
        ("PUT", image, form({}, file={"a.nii.gz": b""})),
        ("PUT", image, form({}, file={"a.nii.gz": b"$1" * 1000})),
        ("PUT", image, form({}, file={"a.nrrd": data})),
        ("PUT", image, form({}, file={"a.zip": data})),
        ("PUT", image, form({}, file={"a.nii.gz": data[: len(data) // 2]})),
        ("PUT", image, form({}, file={"a.nii.gz": data, "b.nii.gz": data})),
        ("PUT", "/datastore/image", form({}, file={f"$open('{MARKER}').nii.gz": data})),
        ("PUT", "/datastore/image?image=../new", form({}, file={"a.nii.gz": data})),
        ("PUT", label, form({}, label={"a.nii.gz": b"x" * 400})),
        ("PUT", label, form({}, label={"label.bin": b"\0" * 400})),
        ("PUT", label, form({}, label={"a.seg.nrrd": b"NRRD0004\ndata file: /etc/passwd\n\n"})),
        (
            "PUT",
            label,
            form({"params": b'{"label_info": [{"name": "$1", "idx": 1}]}'}, label={"a.nii.gz": data}),
        ),
        ("PUT", "/session/?uncompress=true", form({}, files={"a.zip": b"PK\3\4"})),
        ("PUT", "/session/", form({}, files={"a.tar.gz": b"\x1f\x8b" + b"\0" * 100})),
        ("PUT", "/session/", form({}, files={"a.nii.gz": data, "b.nii.gz": data})),
        ("POST", infer, form({}, label={"a.nii.gz": data})),
        ("POST", infer, form({"params": b'{"image": "/etc/passwd"}'})),
        ("POST", "/infer/lidia", form({}, file={"a.nhdr": b"NRRD0004\ndata file: /etc/passwd\n\n"})),
        ("POST", infer, form({f"field{number}": b"1" for number in range(2000)})),
        ("POST", infer, (b"--x\r\nno form", "multipart/form-data; boundary=x")),
        ("POST", infer, (b"--x\r\nno form", "multipart/form-data")),
        ("POST", "/infer/lidia?image=/etc/passwd", form({"params": b"{}"})),
        ("POST", f"{infer}&output=dicom_seg", form({"params": b"{}"})),
    ]
    for method, path, body in cases:
        status, text = server.reply(method, path, *body)
        assert status == 422, f"{method} {path} {body[0][:200]!r}: {status} {text[:300]}"


def test_closed_endpoints_stay_closed(server: Server) -> None:
    for (method, template), endpoint in ENDPOINTS.items():
        if endpoint.closed:
            body = form({}, file={"model.pt": b"$1"})
            assert server.reply(method, template.replace("{model}", "lidia"), *body)[0] == 403
    for method, path in (
        ("POST", "/metrics"),
        ("GET", "/.env"),
        ("PUT", "/train/lidia"),
        ("TRACE", "/info/"),
    ):
        assert server.reply(method, path)[0] in (404, 405)


def test_a_file_keeps_nothing_of_its_name(server: Server, truth: Path, valid: dict[str, str]) -> None:
    data = (truth / f"{valid['image']}.nii.gz").read_bytes()
    body = form({}, file={f"../../$(touch {MARKER}).nii.gz": data})
    status, text = server.reply("PUT", "/datastore/image?image=harmless", *body)
    assert status == 200, text
    assert (server.study / "harmless.nii.gz").read_bytes() == data
    assert server.reply("DELETE", "/datastore/image?id=harmless")[0] == 200


def test_links_in_the_study_are_not_written_through(
    server: Server, truth: Path, tmp_path: Path, valid: dict[str, str]
) -> None:
    data = (truth / f"{valid['image']}.nii.gz").read_bytes()
    outside = tmp_path / "outside.nii.gz"
    outside.write_bytes(data)
    (server.study / "linked.nii.gz").symlink_to(outside)
    for _ in range(100):
        if server.reply("HEAD", "/datastore/image?image=linked")[0] == 200:
            break
        server.reply("GET", "/info/")
    other = (truth / f"{sorted(p.name for p in truth.glob('*.nii.gz'))[1]}").read_bytes()
    assert server.reply("PUT", "/datastore/image?image=linked", *form({}, file={"a.nii.gz": other}))[0] == 422
    assert server.reply("DELETE", "/datastore/image?id=linked")[0] == 422
    assert outside.read_bytes() == data
    (server.study / "linked.nii.gz").unlink()
    for _ in range(100):
        if server.reply("HEAD", "/datastore/image?image=linked")[0] == 404:
            return
        server.reply("GET", "/info/")


def test_the_process_that_trains_checks_again(server: Server) -> None:
    """As MONAI Label starts it, with requests that have passed no gate."""
    app = server.bundle / "scripts/lidia/label_app"
    settings = {"MONAI_LABEL_APP_DIR": str(app), "MONAI_LABEL_STUDIES": str(server.study)}
    settings |= {"MONAI_LABEL_DATASTORE_AUTO_RELOAD": "false", "PYTHONPATH": str(app)}
    settings |= {"HOME": str(server.folder), "OMP_NUM_THREADS": "1"}
    command = [str(PYTHON), "-m", "monailabel.interfaces.utils.app", "-m", "train", "-r"]
    text = f"$__import__('pathlib').Path('{MARKER}').touch()"
    request = {"model": "lidia", "device": text, "max_epochs": text, "run_id": text, "bundle_path": "/tmp"}
    process = subprocess.run(
        [*command, json.dumps(request)],
        env=os.environ | settings,
        cwd=server.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode != 0 and "Refusal: device: " in process.stderr, process.stderr[-2000:]


def test_a_user_s_name_and_password_are_the_only_free_texts() -> None:
    free = {check for endpoint in ENDPOINTS.values() for check in endpoint.fields.values()} & {
        check_user,
        check_secret,
    }
    assert free == {check_user, check_secret}
    assert ENDPOINTS["POST", "/auth/token"].fields.keys() == {"username", "password", "grant_type"}
