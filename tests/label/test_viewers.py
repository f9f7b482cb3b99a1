"""What 3D Slicer's module and the shipped OHIF pages send by default is answered as before.

The requests are those of `MONAILabelClient` in MONAI Label's plugin for Slicer (0.8.5), with its boundary and
its names of files, and of `MonaiLabelClient` in the OHIF pages that MONAI Label 0.8.5 serves.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import nibabel as nib
import numpy as np
import pytest
from label.conftest import run_server
from label.serving import Server, form

pytestmark = [pytest.mark.label, pytest.mark.slow]

BOUNDARY = "----------lImIt_of_THE_fIle_eW_$"
USER = {"client_id": "user-xyz"}
NRRD = {"result_extension": ".nrrd", "result_dtype": "uint8"}

# every option that MONAI Label 0.8.5 lists for a bundle, as Slicer sends it back: the first entry of a list
STOCK_TRAINING: dict[str, Any] = {
    "device": "cpu",
    "pretrained": True,
    "max_epochs": 1,
    "val_split": 0.5,
    "multi_gpu": True,
    "gpus": "all",
    "tracking": "None",
    "tracking_uri": "",
    "tracking_experiment_name": "",
    "run_id": "",
    "model_filename": "model.pt",
}


def slicer_form(fields: dict[str, str], files: dict[str, Path]) -> tuple[bytes, str]:
    """As Slicer's module writes it: the whole path for a file's name, no quotes round the boundary."""
    lines: list[bytes] = []
    for key, value in fields.items():
        lines += [f"--{BOUNDARY}".encode(), f'Content-Disposition: form-data; name="{key}"'.encode(), b""]
        lines += [value.encode()]
    for key, path in files.items():
        head = f'Content-Disposition: form-data; name="{key}"; filename="{path}"'
        lines += [f"--{BOUNDARY}".encode(), head.encode(), b"Content-Type: application/octet-stream", b""]
        lines += [path.read_bytes()]
    lines += [f"--{BOUNDARY}--".encode(), b""]
    body = b"".join(line + b"\r\n" for line in lines)
    return body, f"multipart/form-data; boundary={BOUNDARY}"


def slicer_options(info: dict[str, Any], section: str, name: str) -> dict[str, Any]:
    """As `getParamsFromConfig` makes them of the answer of /info/."""
    config = info[section][name].get("config", {})
    return {key: value[0] if isinstance(value, list) else value for key, value in config.items()}


def answer(server: Server, method: str, path: str, *body: Any) -> str:
    status, text = server.reply(method, path, *body)
    assert status == 200, f"{method} {path}: {status} {text[:500]}"
    return text


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, truth: Path, patients: list[str], bundle: Path
) -> Iterator[Server]:
    """A server of its own: nobody is labelled, and nobody was offered yet."""
    with run_server(tmp_path_factory.mktemp("viewers"), bundle, truth, patients) as running:
        yield running


@pytest.fixture(scope="module")
def info(server: Server) -> dict[str, Any]:
    return json.loads(answer(server, "GET", "/info/"))


def test_slicer_finds_no_login_and_fetches_a_sample(
    server: Server, info: dict[str, Any], patients: list[str]
) -> None:
    assert server.reply("GET", "/auth/")[0] == 404  # Slicer takes that for a server without login
    options = slicer_options(info, "strategies", "least_certain") | USER
    body = json.dumps(options).encode()
    sample = json.loads(answer(server, "POST", "/activelearning/least_certain", body, "application/json"))
    assert sample["id"] in patients and Path(sample["path"]).is_file()
    image = answer(server, "GET", f"/datastore/image?image={quote_plus(sample['id'])}")
    assert image
    objects = json.loads(answer(server, "GET", "/datastore/?output=all"))["objects"]
    assert objects[sample["id"]]["image"]["info"]["strategy"]["least_certain"]["client_id"] == "user-xyz"
    label = f"/datastore/label?label={quote_plus(sample['id'])}&tag=original"
    assert server.reply("GET", label)[0] == 404  # nobody has drawn one


def test_slicer_segments_a_sample(server: Server, info: dict[str, Any], patients: list[str]) -> None:
    options = slicer_options(info, "models", "lidia")
    options |= NRRD | USER
    body = slicer_form({"params": json.dumps(options)}, {})
    text = answer(server, "POST", f"/infer/lidia?image={quote_plus(patients[0])}", *body)
    assert "NRRD0004" in text and '"label_names"' in text


def test_slicer_segments_and_saves_a_volume_that_the_user_opened(
    server: Server, truth: Path, patients: list[str], tmp_path: Path
) -> None:
    volume = tmp_path / "tmpa1b2c3.nii.gz"
    volume.write_bytes((truth / f"{patients[0]}.nii.gz").read_bytes())
    # the module's own function for sessions leaves multipart to the library `requests`
    body = form({"client_id": b"user-xyz"}, files={volume.name: volume.read_bytes()})
    created = json.loads(answer(server, "PUT", "/session/", *body))
    session = created["session_id"]
    assert json.loads(answer(server, "GET", f"/session/{session}"))["name"] == session
    name = quote_plus("3: Thorax/Abdomen 5.0 B30f")
    options = {"device": "cpu", "model_filename": "model.pt"} | NRRD | USER
    body = slicer_form({"params": json.dumps(options)}, {})
    text = answer(server, "POST", f"/infer/lidia?image={name}&session_id={session}", *body)
    assert "NRRD0004" in text and '"venous"' in text
    node = quote_plus("3: Venous 5.0 B30f")
    body = slicer_form({"params": json.dumps(USER)}, {"file": volume})
    assert (
        json.loads(answer(server, "PUT", f"/datastore/?image={node}", *body))["image"] == "3: Venous 5.0 B30f"
    )
    label = tmp_path / "tmpd4e5f6.nii.gz"
    samples = nib.load(truth / f"labels/final/{patients[0]}.nii.gz")
    nib.save(nib.Nifti1Image(np.asarray(samples.dataobj).astype(np.int16), samples.affine), label)
    segments = [{"name": "liver", "idx": 1}, {"name": "hcc", "idx": 2}, {"name": "Segment_1", "idx": 3}]
    body = slicer_form({"params": json.dumps({"label_info": segments} | USER)}, {"label": label})
    saved = json.loads(answer(server, "PUT", f"/datastore/label?image={node}", *body))
    assert saved["label"] == "3: Venous 5.0 B30f"
    answer(server, "GET", f"/datastore/label?label={node}&tag=final")
    answer(server, "DELETE", f"/session/{session}")
    answer(server, "DELETE", f"/datastore/image?id={node}")


def test_slicer_trains(server: Server, info: dict[str, Any]) -> None:
    assert server.reply("GET", "/train/?check_if_running=true")[0] in (200, 404)
    entries = slicer_options(info, "trainers", "lidia")
    assert entries.keys() < STOCK_TRAINING.keys()
    # the second without a model's name, as the module sends it when its list of models is empty
    for path, options in (("/train/lidia", STOCK_TRAINING), ("/train/", entries)):
        body = json.dumps(options | USER).encode()
        answer(server, "POST", path, body, "application/json")
        # nobody is labelled, so the training ends by itself; the options were no obstacle
        task = server.wait_for_training("DONE", "ERROR")
        assert not any("run ID" in line or "Refusal" in line for line in task.get("details", ())), task


def test_ohif_segments_samples_and_trains(server: Server, patients: list[str]) -> None:
    options = NRRD | {"result_compress": False, "restore_label_idx": False}
    body = form({"params": json.dumps(options).encode()})
    text = answer(server, "POST", f"/infer/lidia?image={quote_plus(patients[1])}&output=image", *body)
    assert "NRRD0004" in text[:8]
    assert json.loads(answer(server, "POST", "/activelearning/least_certain", b"{}", "application/json"))[
        "id"
    ]
    assert server.reply("GET", "/train/?check_if_running=true")[0] in (200, 404)
    answer(server, "POST", "/train/", b"{}", "application/json")
    answer(server, "POST", "/train/", b'{"lidia": {"max_epochs": 1}}', "application/json")
    while server.reply("GET", "/train/?check_if_running=true")[0] == 404:
        if server.training()["status"] not in ("SUBMITTED", "RUNNING"):
            break
        time.sleep(0.2)
    answer(server, "DELETE", "/train/")
    server.wait_for_training("DONE", "ERROR", "STOPPED")


@pytest.mark.parametrize("path", ["/ohif/", "/ohif/viewer?StudyInstanceUIDs=1.2.3", "/ohif/app-config.js"])
def test_ohif_s_pages_are_served(server: Server, path: str) -> None:
    assert len(answer(server, "GET", path)) > 500


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/openapi.json", "/logs/?lines=5", "/static/ohif/app-config.js"]
)
def test_pages_of_the_server_are_served(server: Server, path: str) -> None:
    assert answer(server, "GET", path)


def test_batch_inference_takes_the_server_s_own_defaults(server: Server) -> None:
    schema = json.loads(answer(server, "GET", "/openapi.json"))
    body = schema["paths"]["/batch/infer/{model}"]["post"]["requestBody"]["content"]["application/json"]
    options = body["schema"]["default"]
    assert options["device"] == "cuda"
    text = json.dumps(options | {"max_batch_size": 1}).encode()
    answers = json.loads(
        answer(server, "POST", "/batch/infer/lidia?images=unlabeled&run_sync=true", text, "application/json")
    )
    assert len(answers) == 1
