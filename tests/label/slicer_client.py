"""Drives a server by the client of MONAI Label's module for 3D Slicer, from the installed package.

Run by the Python of the label server: SERVER FOLDER PATIENT LABEL; prints what the server answered as JSON.
Each step is a button of the module, with the options that `getParamsFromConfig` and `MONAILabelLogic` add.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path

warnings.simplefilter("ignore")  # the client imports `cgi`

PLUGIN = Path(sys.prefix) / "monailabel/plugins/slicer/MONAILabel"
sys.path.insert(0, str(PLUGIN))
from MONAILabelLib.client import MONAILabelClient, MONAILabelClientException  # noqa: E402

NRRD = {"result_extension": ".nrrd", "result_dtype": "uint8"}


def read_options(info: dict, section: str, name: str) -> dict:
    """As the module's table of options: the first entry of each list."""
    config = info[section][name].get("config", {})
    return {key: value[0] if isinstance(value, list) else value for key, value in config.items()}


def press_buttons(address: str, folder: str, patient: str, label: str) -> dict:
    """Presses the module's buttons in the order of its page."""
    client = MONAILabelClient(address, folder, "user-xyz")
    info = client.info()
    answers: dict = {"login": client.auth_enabled(), "labels": list(info["labels"])}
    sample = client.next_sample("least_certain", read_options(info, "strategies", "least_certain"))
    answers["sample"] = sample["id"]
    answers["objects"] = list(client.datastore()["objects"])
    options = read_options(info, "models", "lidia") | NRRD
    file, result = client.infer("lidia", patient, options)
    answers["file"], answers["result"] = file, result
    segments = [{"name": "liver", "idx": 1}, {"name": "hcc", "idx": 2}]
    answers["saved"] = client.save_label(patient, label, params={"label_info": segments})["label"]
    answers["downloaded"] = client.download_label(patient, "final")
    client.train_start("lidia", read_options(info, "trainers", "lidia") | {"max_epochs": 1})
    answers["training"] = client.train_status()["status"]
    client.train_stop()
    for _ in range(600):
        answers["running"] = client.train_status(True)
        if not answers["running"]:
            break
        time.sleep(0.5)
    try:
        client.infer("lidia", "no such patient", options)
    except MONAILabelClientException as refusal:
        answers["refusal"] = refusal.msg
    return answers


if __name__ == "__main__":
    print(json.dumps(press_buttons(*sys.argv[1:5])))  # noqa: T201
