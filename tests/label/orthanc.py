"""Orthanc with its DICOMweb plugin, as a process of its own."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


class Orthanc:
    """A DICOMweb server without access control, on this computer only.

    Args:
        folder: its storage, configuration and log.
    """

    def __init__(self, folder: Path) -> None:
        program = shutil.which("Orthanc")
        if program is None or not PLUGIN.exists():
            pytest.skip("Orthanc and its DICOMweb plugin are not installed: `make ohif-test` does it")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.folder, self.url = folder, f"http://127.0.0.1:{port}"
        settings = {
            "StorageDirectory": str(folder / "storage"),
            "HttpPort": port,
            "DicomServerEnabled": False,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "Plugins": [str(PLUGIN)],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        }
        (folder / "orthanc.json").write_text(json.dumps(settings), encoding="utf-8")
        with (folder / "orthanc.log").open("wb") as log:
            command = [program, str(folder / "orthanc.json")]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        for _ in range(240):
            try:
                self.get("/system")
                return
            except urllib.error.URLError:
                assert self.process.poll() is None, self.log()
                time.sleep(0.5)
        raise AssertionError(f"Orthanc does not answer:\n{self.log()}")

    def log(self) -> str:
        return (self.folder / "orthanc.log").read_text(encoding="utf-8", errors="replace")[-3000:]

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=60) as answer:
            return json.load(answer)

    def store(self, *files: Path) -> None:
        """Stores DICOM files."""
        for file in files:
            request = urllib.request.Request(f"{self.url}/instances", data=file.read_bytes(), method="POST")
            with urllib.request.urlopen(request, timeout=60) as answer:
                assert answer.status == 200

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=60)
