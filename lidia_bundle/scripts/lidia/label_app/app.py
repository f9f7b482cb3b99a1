"""Defines the MONAI Label app with the model `lidia`; invalid input gets an error with problem and remedy."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from tempfile import gettempdir
from threading import Lock
from typing import Any

from fastapi import HTTPException
from monailabel.config import settings
from monailabel.endpoints.user import auth as stock_auth
from monailabel.interfaces.app import MONAILabelApp
from monailabel.interfaces.tasks.batch_infer import BatchInferTask
from monailabel.interfaces.tasks.scoring import ScoringMethod
from monailabel.interfaces.tasks.strategy import Strategy
from monailabel.tasks.infer.bundle import BundleInferTask
from monailabel.tasks.train.bundle import BundleTrainTask
from monailabel.utils.others.generic import device_map, gpu_count, name_to_device

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.inference.result_files import renumber
from scripts.lidia.label_app.auth import authenticate, read_token
from scripts.lidia.label_app.datastore import (
    confine_to_folder,
    return_cached_files,
    write_list_atomically,
)
from scripts.lidia.label_app.endpoints import INFER, TRAIN, TRAINING_OPTIONS
from scripts.lidia.label_app.gate import Gate
from scripts.lidia.label_app.label_values import UID
from scripts.lidia.label_app.study_phases import StudyPhases, add_study_phases, collect_study_phases
from scripts.lidia.label_app.values import Check, ServerState, check_group
from scripts.lidia.postprocess.patient_entropy import compute_mean_binary_entropy
from scripts.lidia.report.palette import LABEL_COLOURS
from scripts.lidia.runtime.weights import hash_file

BUNDLE_LOCK = Lock()  # MONAI Label unloads and loads the bundle's code within a request

UPLOAD_MB = 4096.0
"""Largest file that a client may send, and largest volume in it; `--conf upload_mb` changes it."""

NO_IMAGE = "The datastore has no such image: GET /datastore/?output=all lists them"
SERVER_KEYS = ("model", "image", "description", "result_write_to_file")


def select_options(
    request: dict[str, Any], checks: Mapping[str, Check], state: ServerState, more: Collection[str] = ()
) -> dict[str, Any]:
    """Selects and checks the options of a task in a request; the gate has refused unknown keys before.

    Raises:
        Refusal: an option has an invalid value.
    """
    options = {key: value for key, value in request.items() if key in checks}
    server_options = {key: request[key] for key in more if key in request}
    return check_group(checks, options, state, "request") | server_options


class Inference(BundleInferTask):
    """Inference by `inference.json`.

    Args:
        path: the bundle.
        conf: options of the server.
        get_state: returns the state of the server.
        find_phases: returns the phases of the study of an image file.
    """

    def __init__(
        self,
        path: str,
        conf: dict[str, str],
        get_state: Callable[[], ServerState],
        find_phases: Callable[[str], StudyPhases],
    ) -> None:
        super().__init__(path, conf, load_strict=True)
        self.get_state, self.find_phases = get_state, find_phases

    def __call__(self, request: dict[str, Any], callbacks: Any = None) -> tuple[Any, dict[str, Any]]:
        """Returns the label file and the JSON result.

        Raises:
            HTTPException: the image is unknown or invalid.
        """
        if not request.get("image"):
            raise HTTPException(404, NO_IMAGE)
        try:
            with BUNDLE_LOCK:
                found = self.find_phases(request["image"])
                options = select_options(request, INFER, self.get_state(), SERVER_KEYS)
                file, result = super().__call__(add_study_phases(options, found), callbacks)
        except Exception as problem:
            if (fault := CaseError.find(problem)) is None:
                raise
            raise HTTPException(422, str(fault)) from problem
        warnings = [*found.warnings, *result.get("warnings", ())]
        return file, result | {"warnings": warnings, "label_colors": LABEL_COLOURS}


class Batch(BatchInferTask):
    """Batch inference that continues after a faulty patient, and runs without a GPU."""

    def __call__(self, request: dict[str, Any], datastore: Any, infer: Any) -> dict[str, Any]:
        """Returns the result, or `{"error"}`, of each image."""

        def infer_image(request: dict[str, Any], datastore: Any) -> dict[str, Any]:
            try:
                return infer(request, datastore)
            except HTTPException as problem:
                return {"error": problem.detail}

        return super().__call__(request | {"multi_gpu": False}, datastore, infer_image)


class Training(BundleTrainTask):
    """Training by `train.json` and `overlays/recipes/label.yaml`, which also names the initial weights.

    Args:
        path: the bundle.
        conf: options of the server.
        get_state: returns the state of the server.
    """

    def __init__(self, path: str, conf: dict[str, str], get_state: Callable[[], ServerState]) -> None:
        super().__init__(path, conf)
        self.get_state = get_state

    def _load_bundle_config(self, path: str, config: str) -> Any:
        self.bundle_config_path = [config, f"{path}/configs/overlays/recipes/label.yaml"]
        return super()._load_bundle_config(path, self.bundle_config_path)

    def config(self) -> dict[str, Any]:
        """Returns the options for clients; MONAI Label's own list also has addresses and experiment names."""
        return {key: value for key, value in super().config().items() if key in TRAINING_OPTIONS}

    def __call__(self, request: dict[str, Any], datastore: Any) -> dict[str, Any]:
        """Trains; only numbers, booleans and a known device reach the config."""
        checks = {key: TRAIN[key] for key in TRAINING_OPTIONS}
        return super().__call__(select_options(request, checks, self.get_state(), ("model",)), datastore)

    def _load_checkpoint(self, path: str, pretrained: bool, handlers: list[Any]) -> None:
        handlers[:] = [name for name in handlers if pretrained or name != "%train::load_weights"]


class Uncertainty(ScoringMethod):
    """Scores an image with the mean entropy of the type probabilities, 0 to 1 bit, as `uncertainty`."""

    def __init__(self, infer: Inference) -> None:
        super().__init__("Mean entropy of the type probabilities, in bits")
        self.infer = infer

    def __call__(self, request: dict[str, Any], datastore: Any) -> dict[str, Any]:
        """Scores the unlabelled patients that the current weights have not scored."""
        weights, failed = hash_file(self.infer.get_path()), {}
        for image in datastore.get_unlabeled_images():
            if datastore.get_image_info(image).get("scored_by") != weights:
                try:
                    infer_request = {"image": datastore.get_image_uri(image), "result_write_to_file": False}
                    bits = compute_mean_binary_entropy(self.infer(infer_request)[1]["probabilities"].values())
                except HTTPException as problem:
                    failed[image] = problem.detail
                    continue
                datastore.update_image_info(image, {"uncertainty": bits, "scored_by": weights})
        return {"failed": failed}


class LeastCertain(Strategy):
    """Selects the unlabelled patient with the largest uncertainty (-1: not scored), not yet offered first."""

    def __call__(self, request: dict[str, Any], datastore: Any) -> dict[str, Any] | None:
        """Returns `{"id", "uncertainty"}` of the next patient; None if all are labelled."""
        queue = []
        for image in datastore.get_unlabeled_images():
            info = datastore.get_image_info(image)
            offered = info.get("strategy", {}).get("least_certain", {}).get("ts", 0)
            queue.append((offered, -info.get("uncertainty", -1.0), image))
        if not queue:
            return None
        _, certainty, image = min(queue)
        return {"id": image, "uncertainty": -certainty}


class LidiaApp(MONAILabelApp):
    """The MONAI Label app of LIDIA; its arguments are those of MONAI Label."""

    def __init__(self, app_dir: str, studies: str, conf: dict[str, str]) -> None:
        super().__init__(app_dir, studies, conf, "LIDIA", "Liver lesions on multi-phase CT, research only")
        bundle = str(Path(__file__).resolve().parents[3])
        self.model = Inference(bundle, conf, self.get_state, self.find_study_phases)
        self._infers = {"lidia": self.model}
        self._trainers = {"lidia": Training(bundle, conf, self.get_state)}
        self._strategies = {"least_certain": LeastCertain("The patient with the largest uncertainty")}
        self._scoring_methods, self._batch_infer = {"uncertainty": Uncertainty(self.model)}, Batch()
        write_list_atomically(self._datastore)
        if self._is_remote():
            return_cached_files(self._datastore)
        confine_to_folder(self._datastore)
        if settings.MONAI_LABEL_AUTH_ENABLE:
            stock_auth.from_token = read_token

    def server_mode(self, mode: bool) -> None:
        """Installs the gate before all endpoints; MONAI Label calls this before the first request."""
        super().server_mode(mode)
        if mode:
            from monailabel.app import app  # imports this app in turn

            size = int(float(self.conf.get("upload_mb", UPLOAD_MB)) * 1e6)
            tokens = authenticate if settings.MONAI_LABEL_AUTH_ENABLE else None
            prefix, stack = settings.MONAI_LABEL_API_STR, app.router.middleware_stack
            app.router.middleware_stack = Gate(stack, self.get_state, size, prefix, tokens)

    def get_state(self) -> ServerState:
        """Returns the current state of the server."""
        kinds = {name: name_to_device(name) for name in ("cpu", "cuda")}
        gpus = [f"cuda:{number}" for number in range(gpu_count())]
        return ServerState(
            models=list(self._infers),
            trainers=list(self._trainers),
            strategies=list(self._strategies),
            methods=list(self._scoring_methods),
            devices=kinds | {name: name for name in gpus} | device_map(),
            gpus=len(gpus),
            weights=[path.name for path in Path(self.model.bundle_path, "models").glob("*.pt")],
            has_image=self._has_image,
            has_session=self._has_session,
            dicomweb=self._is_remote(),
        )

    def _is_remote(self) -> bool:
        return self.studies.startswith(("http://", "https://"))

    def find_study_phases(self, image: str) -> StudyPhases:
        """Returns the phases of the study of a file of the DICOMweb cache; none for other files."""
        file = Path(image)
        name = file.name.removesuffix(".nii.gz")
        if not self._is_remote() or not UID.fullmatch(name):
            return StudyPhases({}, [])
        return collect_study_phases(self._datastore, name, image)

    def _has_image(self, name: str) -> bool:
        return bool(UID.fullmatch(name)) if self._is_remote() else name in self._datastore.list_images()

    def _has_session(self, name: str) -> bool:
        return self._sessions is not None and self._sessions.get_session(name, update_ts=False) is not None

    def infer(self, request: dict[str, Any], datastore: Any = None) -> dict[str, Any]:
        """Runs inference on an image of the datastore, or on an uploaded one.

        Raises:
            HTTPException: the image is neither.
        """
        store, image = datastore or self._datastore, request.get("image") or ""
        if not self._has_image(image):
            self._refuse_foreign(image)
            return super().infer(request | {"save_label": False}, store)
        # MONAI Label would try a name as a path relative to its working directory first
        answer = super().infer(request | {"image": store.get_image_uri(image), "save_label": False}, store)
        if request.get("save_label") and answer["file"]:
            about = {"model": request["model"], "params": answer["params"]}
            tag = request.get("label_tag", "original")
            answer["label"] = store.save_label(image, answer["file"], tag, about)
        return answer

    def _refuse_foreign(self, path: str) -> None:
        folders = [gettempdir(), *([self._sessions.store_path] if self._sessions else [])]
        real = Path(path).resolve()
        if not path or not any(real.is_relative_to(Path(folder).resolve()) for folder in folders):
            raise HTTPException(404, NO_IMAGE)

    def on_save_label(self, image_id: str, label_id: str) -> None:
        """Renumbers a saved label by its segment names; clients number the remaining segments anew."""
        parts = self.datastore().get_label_info(label_id, "final").get("label_info") or ()
        ours = {part["idx"]: self.model.labels.get(part["name"].lower(), part["idx"]) for part in parts}
        if any(theirs != number for theirs, number in ours.items()):
            renumber(self.datastore().get_label_uri(label_id, "final"), ours)
