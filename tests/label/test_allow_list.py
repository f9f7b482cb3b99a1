"""Accepted and refused values of the endpoints' allow list; no server is needed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from label.hostile import KEYS, NESTED, NUMBERS, TEXTS

from scripts.lidia.label_app import label_values
from scripts.lidia.label_app.allow_list import check_options, check_query, find_endpoint, select_source
from scripts.lidia.label_app.endpoints import ENDPOINTS, Endpoint
from scripts.lidia.label_app.values import Refusal, ServerState

IMAGES = ("P1", "2: Venous phase (thin)", "Müller^Eva", "年_1")
SESSION = "243385e6-ec66-11f1-a907-02fc00000001"
OFFER = ServerState(
    models=["lidia"],
    trainers=["lidia"],
    strategies=["least_certain"],
    methods=["uncertainty"],
    devices={"cpu": "cpu", "cuda": "cuda", "NVIDIA H200": "cuda", "cuda:0": "cuda:0"},
    gpus=1,
    weights=["model.pt"],
    has_image=lambda name: name in IMAGES,
    has_session=lambda name: name == SESSION,
)
# A user's name and password go to the realm, and to nobody else.
FREE = {label_values.check_user, label_values.check_secret}
OPEN = [(key, endpoint) for key, endpoint in ENDPOINTS.items() if not endpoint.closed]


def options_of(endpoint: Endpoint) -> dict[str, Any]:
    return {**(endpoint.options or {}), **endpoint.fields}


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text)[:40])
def test_no_key_takes_a_hostile_text(text: str) -> None:
    for (method, template), endpoint in OPEN:
        for key, check in (endpoint.path | endpoint.query | options_of(endpoint)).items():
            if check in FREE:
                continue
            with pytest.raises(Refusal, match=key):
                value = check(key, text, OFFER)
                pytest.fail(f"{method} {template} takes {value!r} for {key}")


@pytest.mark.parametrize("value", [*NESTED, *NUMBERS], ids=lambda value: repr(value)[:40])
def test_no_option_takes_a_nested_or_boundless_value(value: Any) -> None:
    for (method, template), endpoint in OPEN:
        for key, check in options_of(endpoint).items():
            with pytest.raises(Refusal, match=key):
                inputs = check(key, value, OFFER)
                pytest.fail(f"{method} {template} takes {inputs!r} for {key}")


@pytest.mark.parametrize("key", KEYS, ids=lambda key: ascii(key)[:40])
def test_no_request_takes_an_unknown_key(key: str) -> None:
    for _, endpoint in OPEN:
        if endpoint.page:
            continue
        with pytest.raises(Refusal) as caught:
            check_options(endpoint, {key: 1}, OFFER)
        assert caught.value.status == 422 and ascii(key[:60])[1:-1] in str(caught.value)
        assert len(str(caught.value)) < 600
        if key not in endpoint.query:
            with pytest.raises(Refusal):
                check_query(endpoint, [(key, "1")], OFFER)


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"max_epochs": "5"}, "max_epochs"),
        ({"max_epochs": True}, "max_epochs"),
        ({"max_epochs": 2.5}, "max_epochs"),
        ({"max_epochs": 0}, "max_epochs"),
        ({"val_split": 1}, "val_split"),
        ({"pretrained": "true"}, "pretrained"),
        ({"pretrained": 1}, "pretrained"),
        ({"device": ["cpu"]}, "device"),
        ({"device": "cuda:7"}, "device"),
        ({"device": "mps"}, "device"),
        ({"gpus": "0,7"}, "gpus"),
        ({"tracking": "mlflow"}, "tracking"),
        ({"tracking_uri": "http://127.0.0.1:1"}, "tracking_uri"),
        ({"run_id": "$1"}, "run_id"),
        ({"model_filename": "../model.pt"}, "model_filename"),
        ({"lidia": {"max_epochs": "$5"}}, "max_epochs"),
        ({"lidia": {"lidia": {}}}, "lidia"),
        ("text", "body"),
        ([], "body"),
    ],
)
def test_a_training_takes_typed_options_alone(options: Any, key: str) -> None:
    with pytest.raises(Refusal, match=f"^{key}: "):
        check_options(ENDPOINTS["POST", "/train/"], options, OFFER)


def test_options_of_viewers_are_taken_and_devices_get_their_names() -> None:
    train = ENDPOINTS["POST", "/train/"]
    options = {"device": "NVIDIA H200", "max_epochs": 2, "val_split": 0.5, "gpus": "0", "client_id": None}
    assert check_options(train, options, OFFER) == options | {"device": "cuda"}
    assert check_options(train, {"lidia": {"max_epochs": 3}}, OFFER) == {"lidia": {"max_epochs": 3}}
    for client in ("user-xyz", "Eva Müller", "eva@hospital.example"):
        assert check_options(train, {"client_id": client}, OFFER) == {"client_id": client}
    label = ENDPOINTS["PUT", "/datastore/label"]
    segments = {"label_info": [{"name": "liver", "idx": 1}, {"name": "HCC (1)", "idx": 2}]}
    assert check_options(label, segments, OFFER) == segments
    for wrong in ({"name": "liver"}, {"name": "liver", "idx": 256}, {"name": "liver", "idx": 1, "x": 1}):
        with pytest.raises(Refusal):
            check_options(label, {"label_info": [wrong]}, OFFER)


@pytest.mark.parametrize(
    "name", [*IMAGES, "P#1", "3: Thorax 5.0 B30f", "a+b=c", "O(1)", "x~y,z", "1.2.840.1"]
)
def test_names_of_patients_are_taken(name: str) -> None:
    assert label_values.check_image("image", name, OFFER) == name
    assert check_query(ENDPOINTS["PUT", "/datastore/image"], [("image", name)], OFFER) == {"image": name}


def test_an_image_comes_from_one_source() -> None:
    infer = ENDPOINTS["POST", "/infer/{model}"]
    named = {"image": "P1", "output": "json"}
    assert select_source(infer, dict(named), [], OFFER) == named
    # Slicer sends the name of its volume, slash and all, beside the session that holds it
    query = check_query(infer, [("image", "3: Thorax/Abdomen 50%"), ("session_id", SESSION)], OFFER)
    assert select_source(infer, query, [], OFFER) == {"session_id": SESSION}
    assert select_source(infer, {"image": "P1"}, ["file"], OFFER) == {}
    for missing in ({"image": "nobody"}, {"session_id": SESSION.replace("2", "3")}):
        with pytest.raises(Refusal) as caught:
            select_source(infer, missing, [], OFFER)
        assert caught.value.status == 404
    with pytest.raises(Refusal, match="image"):
        select_source(infer, {}, [], OFFER)


def test_a_query_holds_each_key_once_and_what_is_needed() -> None:
    label = ENDPOINTS["GET", "/datastore/label"]
    for pairs in ([("label", "P1")], [("label", "P1"), ("tag", "final"), ("tag", "x")]):
        with pytest.raises(Refusal, match="tag"):
            check_query(label, pairs, OFFER)
    train = ENDPOINTS["POST", "/train/{model}"]
    assert check_query(train, [("run_sync", "True"), ("enqueue", "0")], OFFER) == {
        "run_sync": "true",
        "enqueue": "false",
    }


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/train/other", 422),
        ("POST", "/train/$x", 422),
        ("POST", "/scoring/dice", 422),
        ("POST", "/activelearning/random", 422),
        ("GET", "/session/../../etc", 404),
        ("GET", "/session/..", 422),
        ("GET", "/ohif/../main.py", 422),
        ("GET", "/static/..%2f", 422),
        ("PUT", "/model/lidia", 403),
        ("POST", "/reload", 403),
        ("POST", "/infer/wsi/lidia", 403),
        ("PATCH", "/info/", 405),
        ("GET", "/etc/passwd", 404),
        ("GET", "/proxy/dicom/wado/studies", 404),
    ],
)
def test_other_addresses_are_refused(method: str, path: str, status: int) -> None:
    with pytest.raises(Refusal) as caught:
        find_endpoint(method, path, OFFER)
    assert caught.value.status == status


@pytest.mark.parametrize(
    "path", ["../system", "studies/../../tools", "tools/execute-script", "/studies", "studies//x"]
)
def test_the_proxy_leads_to_dicomweb_alone(path: str) -> None:

    remote = replace(OFFER, dicomweb=True)
    assert find_endpoint(
        "GET", "/proxy/dicom/wado/studies/1.2/series/3.4/instances/5/frames/1,2", remote
    ).dicomweb
    with pytest.raises(Refusal):
        find_endpoint("GET", f"/proxy/dicom/wado/{path}", remote)
    with pytest.raises(Refusal):
        label_values.check_image("image", "P1", remote)
