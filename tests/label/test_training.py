"""Saved labels give better weights or none; a kill leaves study and weights unchanged."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from label.serving import Server

from scripts.lidia.runtime.weights import read_state

pytestmark = [pytest.mark.label, pytest.mark.slow]


def test_the_least_certain_patient_comes_first_and_each_in_turn(server: Server, patients: list[str]) -> None:
    assert server.post("/scoring/uncertainty?run_sync=true")["failed"].keys() <= {"half"}
    store = server.get("/datastore/?output=all")["objects"]
    bits = {patient: store[patient]["image"]["info"]["uncertainty"] for patient in patients}
    assert len(set(bits.values())) == len(patients) and all(0 < value < 1 for value in bits.values())
    for other in set(store) - set(patients):
        server.ask("DELETE", f"/datastore/image?id={other}")
    offered = []
    for _ in patients:
        offered.append(server.post("/activelearning/least_certain")["id"])
        time.sleep(1.1)  # the server notes in whole seconds when it offered whom
    assert offered == sorted(patients, key=lambda patient: -bits[patient])
    assert server.post("/activelearning/least_certain")["id"] == offered[0]


def test_training_without_validation_patients_is_an_error(
    server: Server, truth: Path, patients: list[str]
) -> None:
    server.save_label(truth / f"labels/final/{patients[0]}.nii.gz", patients[0])
    server.train()
    info = server.wait_for_training("DONE", "ERROR")
    assert info["status"] == "ERROR" and "no validation patients" in info["details"][-1]


def blurred(server: Server) -> None:
    """Makes the weights bad enough for a few steps to mend them."""
    torch.manual_seed(0)
    state = read_state(server.weights)
    for value in state.values():
        if value.is_floating_point() and value.numel() > 1:
            value += 0.4 * value.std() * torch.randn_like(value)
    torch.save(state, server.weights)


def test_inference_uses_the_weights_of_a_training_over_saved_labels(
    server: Server, truth: Path, patients: list[str]
) -> None:
    blurred(server)
    for patient in patients:
        server.save_label(truth / f"labels/final/{patient}.nii.gz", patient)
    before, bad = server.infer(patients[3])["probabilities"], server.weights.read_bytes()
    server.train()
    info = server.wait_for_training("DONE", "ERROR")
    assert info["status"] == "DONE", server.log()
    assert server.weights.read_bytes() != bad
    state = read_state(server.bundle / "models/training/state_epoch=1.pt")
    assert state["best"]["epoch"] == 1
    published = read_state(server.weights)
    assert all(torch.equal(published[name], value) for name, value in state["average"].items())
    after = server.infer(patients[3])["probabilities"]
    assert not np.allclose(list(before.values()), list(after.values()), atol=1e-3)


def test_a_server_killed_in_training_leaves_study_and_weights_whole(
    server: Server, truth: Path, patients: list[str]
) -> None:
    for patient in patients:
        server.save_label(truth / f"labels/final/{patient}.nii.gz", patient)
    weights, store = server.weights.read_bytes(), server.get("/datastore/?output=all")["objects"]
    server.post("/train/lidia", max_epochs=1000, val_split=0.5)
    while not any(re.search(r"training \[\d+", line) for line in server.training().get("details", ())):
        assert server.training()["status"] in ("SUBMITTED", "RUNNING"), server.log()
        time.sleep(0.5)
    server.kill()
    for _ in range(120):
        if not server.left():
            break
        time.sleep(0.5)
    assert not server.left(), "the training goes on without its server"
    assert server.weights.read_bytes() == weights
    remaining = json.loads((server.study / "datastore_v2.json").read_text(encoding="utf-8"))["objects"]
    assert remaining == store
    server.start()
    assert server.get("/datastore/")["label_tags"]["final"] == len(patients)
    assert server.infer(patients[3])["phases_used"]
