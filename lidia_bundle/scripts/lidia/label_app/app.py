"""A MONAI Label app of one model, `lidia`; what is wrong with a patient is an answer in words."""

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
from scripts.lidia.label_app.auth import authenticate, user_of
from scripts.lidia.label_app.datastore import hold_inside, keep_whole
from scripts.lidia.label_app.endpoints import INFER, TRAIN, TRAINING_OPTIONS
from scripts.lidia.label_app.gate import Gate
from scripts.lidia.label_app.label_values import UID
from scripts.lidia.label_app.values import Check, Offer, group
from scripts.lidia.postprocess.confidence_filter import mean_binary_entropy
from scripts.lidia.report.palette import LABEL_COLOURS
from scripts.lidia.runtime.weights import digest

TURN = Lock()  # MONAI Label unloads and loads the bundle's code within a request

UPLOAD_MB = 4096.0
"""Largest file that a client may send, and largest volume in it; `--conf upload_mb` changes it."""

OF_SERVER = ("model", "image", "description", "result_write_to_file")


def select(
    request: dict[str, Any], checks: Mapping[str, Check], offer: Offer, more: Collection[str] = ()
) -> dict[str, Any]:
    """Takes out of a request what a task reads, and checks it; the gate has refused what is unknown.

    Args:
        request: as MONAI Label hands it over, with the server's own keys.
        checks: types of the options.
        offer: what the server has.
        more: keys that the server itself sets.

    Raises:
        Refusal: an option has a value that is not taken.
    """
    options = {key: value for key, value in request.items() if key in checks}
    return group(checks, options, offer, "request") | {key: request[key] for key in more if key in request}


class Inference(BundleInferTask):
    """By `inference.json`.

    Args:
        path: the bundle.
        conf: what the server was started with.
        offer: gives what the server has.
    """

    def __init__(self, path: str, conf: dict[str, str], offer: Callable[[], Offer]) -> None:
        super().__init__(path, conf, load_strict=True)
        self.offer = offer

    def __call__(self, request: dict[str, Any], callbacks: Any = None) -> tuple[Any, dict[str, Any]]:
        """Gives labels and the JSON beside them.

        Raises:
            HTTPException: the image is unknown or unfit.
        """
        if not request.get("image"):
            raise HTTPException(404, "The datastore has no such image: GET /datastore/?output=all lists them")
        try:
            with TURN:
                file, result = super().__call__(select(request, INFER, self.offer(), OF_SERVER), callbacks)
        except Exception as problem:
            if (fault := CaseError.find(problem)) is None:
                raise
            raise HTTPException(422, str(fault)) from problem
        return file, result | {"label_colors": LABEL_COLOURS}


class Batch(BatchInferTask):
    """Inference of many: a faulty patient does not end it, nor does a machine without GPU."""

    def __call__(self, request: dict[str, Any], datastore: Any, infer: Any) -> dict[str, Any]:
        """An answer, or `{"error"}`, by image."""

        def one(request: dict[str, Any], datastore: Any) -> dict[str, Any]:
            try:
                return infer(request, datastore)
            except HTTPException as problem:
                return {"error": problem.detail}

        return super().__call__(request | {"multi_gpu": False}, datastore, one)


class Training(BundleTrainTask):
    """By `train.json` under `overlays/recipes/label.yaml`, where the weights to start from stand too.

    Args:
        path: the bundle.
        conf: what the server was started with.
        offer: gives what the server has.
    """

    def __init__(self, path: str, conf: dict[str, str], offer: Callable[[], Offer]) -> None:
        super().__init__(path, conf)
        self.offer = offer

    def _load_bundle_config(self, path: str, config: str) -> Any:
        self.bundle_config_path = [config, f"{path}/configs/overlays/recipes/label.yaml"]
        return super()._load_bundle_config(path, self.bundle_config_path)

    def config(self) -> dict[str, Any]:
        """What a client may choose; MONAI Label's list has addresses and names of experiments, too."""
        return {key: value for key, value in super().config().items() if key in TRAINING_OPTIONS}

    def __call__(self, request: dict[str, Any], datastore: Any) -> dict[str, Any]:
        """Trains; numbers, booleans and a known device are all that reaches the config."""
        checks = {key: TRAIN[key] for key in TRAINING_OPTIONS}
        return super().__call__(select(request, checks, self.offer(), ("model",)), datastore)

    def _load_checkpoint(self, path: str, pretrained: bool, handlers: list[Any]) -> None:
        handlers[:] = [name for name in handlers if pretrained or name != "@train::load_weights"]


class Uncertainty(ScoringMethod):
    """Mean entropy of a patient's type probabilities, 0 to 1 bit, into `uncertainty` of the image."""

    def __init__(self, infer: Inference) -> None:
        super().__init__("Mean entropy of the type probabilities, in bits")
        self.infer = infer

    def __call__(self, request: dict[str, Any], datastore: Any) -> dict[str, Any]:
        """Asks about the unlabelled patients whom the present weights have not seen."""
        weights, failed = digest(self.infer.get_path()), {}
        for image in datastore.get_unlabeled_images():
            if datastore.get_image_info(image).get("scored_by") != weights:
                try:
                    asked = {"image": datastore.get_image_uri(image), "result_write_to_file": False}
                    bits = mean_binary_entropy(self.infer(asked)[1]["probabilities"].values())
                except HTTPException as problem:
                    failed[image] = problem.detail
                    continue
                datastore.update_image_info(image, {"uncertainty": bits, "scored_by": weights})
        return {"failed": failed}


class LeastCertain(Strategy):
    """The unlabelled patient of the largest uncertainty (-1: not scored); who was offered already waits."""

    def __call__(self, request: dict[str, Any], datastore: Any) -> dict[str, Any] | None:
        """`{"id", "uncertainty"}` of the next patient; nothing if all are labelled."""
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
    """The arguments are MONAI Label's."""

    def __init__(self, app_dir: str, studies: str, conf: dict[str, str]) -> None:
        super().__init__(app_dir, studies, conf, "LIDIA", "Liver lesions on multi-phase CT, research only")
        bundle = str(Path(__file__).resolve().parents[3])
        self.model = Inference(bundle, conf, self.offer)
        self._infers, self._trainers = {"lidia": self.model}, {"lidia": Training(bundle, conf, self.offer)}
        self._strategies = {"least_certain": LeastCertain("Of whom the network is least certain")}
        self._scoring_methods, self._batch_infer = {"uncertainty": Uncertainty(self.model)}, Batch()
        keep_whole(self._datastore)
        hold_inside(self._datastore)
        if settings.MONAI_LABEL_AUTH_ENABLE:
            stock_auth.from_token = user_of

    def server_mode(self, mode: bool) -> None:
        """Puts the gate before all endpoints; MONAI Label calls this before it takes the first request."""
        super().server_mode(mode)
        if mode:
            from monailabel.app import app  # imports this app in turn

            size = int(float(self.conf.get("upload_mb", UPLOAD_MB)) * 1e6)
            tokens = authenticate if settings.MONAI_LABEL_AUTH_ENABLE else None
            stack = app.router.middleware_stack
            app.router.middleware_stack = Gate(stack, self.offer, size, settings.MONAI_LABEL_API_STR, tokens)

    def offer(self) -> Offer:
        """What this server has at the moment."""
        kinds = {name: name_to_device(name) for name in ("cpu", "cuda")}
        return Offer(
            models=list(self._infers),
            trainers=list(self._trainers),
            strategies=list(self._strategies),
            methods=list(self._scoring_methods),
            devices=kinds | {f"cuda:{one}": f"cuda:{one}" for one in range(gpu_count())} | device_map(),
            gpus=gpu_count(),
            weights=[path.name for path in Path(self.model.bundle_path, "models").glob("*.pt")],
            has_image=self._has_image,
            has_session=self._has_session,
            dicomweb=self._is_remote(),
        )

    def _is_remote(self) -> bool:
        return self.studies.startswith(("http://", "https://"))

    def _has_image(self, name: str) -> bool:
        return bool(UID.fullmatch(name)) if self._is_remote() else name in self._datastore.list_images()

    def _has_session(self, name: str) -> bool:
        return self._sessions is not None and self._sessions.get_session(name, update_ts=False) is not None

    def infer(self, request: dict[str, Any], datastore: Any = None) -> dict[str, Any]:
        """Inference of an image of the datastore, or of one that a client has sent.

        Raises:
            HTTPException: the image is neither.
        """
        store, image = datastore or self._datastore, request.get("image") or ""
        if not self._has_image(image):
            self._refuse_foreign(image)
            return super().infer(request | {"save_label": False}, store)
        # MONAI Label would take a name for a path first, and find it in the folder in which it was started
        answer = super().infer(request | {"image": store.get_image_uri(image), "save_label": False}, store)
        if request.get("save_label") and answer["file"]:
            about = {"model": request["model"], "params": answer["params"]}
            answer["label"] = store.save_label(
                image, answer["file"], request.get("label_tag", "original"), about
            )
        return answer

    def _refuse_foreign(self, path: str) -> None:
        folders = [gettempdir(), *([self._sessions.store_path] if self._sessions else [])]
        real = Path(path).resolve()
        if not path or not any(real.is_relative_to(Path(folder).resolve()) for folder in folders):
            raise HTTPException(404, "The datastore has no such image: GET /datastore/?output=all lists them")

    def on_save_label(self, image_id: str, label_id: str) -> None:
        """Gives a saved label our numbers: clients count the segments that are left, and say their names."""
        parts = self.datastore().get_label_info(label_id, "final").get("label_info") or ()
        ours = {part["idx"]: self.model.labels.get(part["name"].lower(), part["idx"]) for part in parts}
        if any(theirs != number for theirs, number in ours.items()):
            renumber(self.datastore().get_label_uri(label_id, "final"), ours)
