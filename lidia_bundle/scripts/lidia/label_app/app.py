"""A MONAI Label app of one model, `lidia`; what is wrong with a patient is an answer in words."""

from __future__ import annotations

import tarfile
from pathlib import Path
from threading import Lock
from typing import Any

from fastapi import HTTPException
from monailabel.interfaces.app import MONAILabelApp
from monailabel.interfaces.tasks.batch_infer import BatchInferTask
from monailabel.interfaces.tasks.scoring import ScoringMethod
from monailabel.interfaces.tasks.strategy import Strategy
from monailabel.tasks.infer.bundle import BundleInferTask
from monailabel.tasks.train.bundle import BundleTrainTask

from scripts.lidia.atomic import write_text
from scripts.lidia.datalist import CaseError
from scripts.lidia.engine.results import renumber
from scripts.lidia.engine.weights import digest
from scripts.lidia.postprocess.doubt import mean_entropy
from scripts.lidia.report.palette import LABEL_COLOURS

TURN = Lock()  # MONAI Label unloads and loads the bundle's code within a request


class Inference(BundleInferTask):
    """By `inference.json`."""

    def __call__(self, request: dict[str, Any], callbacks: Any = None) -> tuple[Any, dict[str, Any]]:
        """Gives labels and the JSON beside them.

        Raises:
            HTTPException: the image is unknown or unfit.
        """
        if not request.get("image"):
            raise HTTPException(404, "The datastore has no such image: GET /datastore/?output=all lists them")
        try:
            with TURN:
                file, result = super().__call__(request, callbacks)
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
    """By `train.json` under `overlays/label.yaml`, where the weights to start from stand too."""

    def _load_bundle_config(self, path: str, config: str) -> Any:
        self.bundle_config_path = [config, f"{path}/configs/overlays/label.yaml"]
        return super()._load_bundle_config(path, self.bundle_config_path)

    def _load_checkpoint(self, path: str, pretrained: bool, handlers: list[Any]) -> None:
        handlers[:] = [one for one in handlers if pretrained or not one["_target_"].endswith("LoadWeights")]


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
                    bits = mean_entropy(self.infer(asked)[1]["probabilities"].values())
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
            told = datastore.get_image_info(image)
            offered = told.get("strategy", {}).get("least_certain", {}).get("ts", 0)
            queue.append((offered, -told.get("uncertainty", -1.0), image))
        if not queue:
            return None
        _, certainty, image = min(queue)
        return {"id": image, "uncertainty": -certainty}


class LidiaApp(MONAILabelApp):
    """The arguments are MONAI Label's."""

    def __init__(self, app_dir: str, studies: str, conf: dict[str, str]) -> None:
        super().__init__(app_dir, studies, conf, "LIDIA", "Liver lesions on multi-phase CT, research only")
        bundle = str(Path(__file__).resolve().parents[3])
        self.model = Inference(bundle, conf, load_strict=True)
        self._infers, self._trainers = {"lidia": self.model}, {"lidia": Training(bundle, conf)}
        self._strategies = {"least_certain": LeastCertain("Of whom the network is least certain")}
        self._scoring_methods, self._batch_infer = {"uncertainty": Uncertainty(self.model)}, Batch()
        keep_whole(self._datastore)
        hold_inside(self._datastore)
        tarfile.TarFile.extraction_filter = staticmethod(
            tarfile.data_filter
        )  # sessions unpack what clients send

    def on_save_label(self, image_id: str, label_id: str) -> None:
        """Gives a saved label our numbers: clients count the segments that are left, and say their names."""
        told = self.datastore().get_label_info(label_id, "final").get("label_info") or ()
        ours = {part["idx"]: self.model.labels.get(part["name"].lower(), part["idx"]) for part in told}
        if any(theirs != number for theirs, number in ours.items()):
            renumber(self.datastore().get_label_uri(label_id, "final"), ours)


def keep_whole(store: Any) -> None:
    """Has a datastore replace its list by a rename; MONAI Label writes in place: a kill halves it."""

    def write(lock: bool = True) -> None:
        path = Path(store._datastore_config_path)
        write_text(path, store._datastore.model_dump_json(exclude={"base_path"}, indent=2))
        store._config_ts = path.stat().st_mtime

    store._update_datastore_file = write
    if hasattr(store, "_handler"):  # the server's other processes write the list too
        store._handler.on_moved = lambda event: store._init_from_datastore_file()


def hold_inside(store: Any) -> None:
    """Has a datastore refuse names that lead out of the study; MONAI Label takes any for a file's name."""
    add_image, save_label = store.add_image, store.save_label

    def add(image_id: str, image_filename: str, image_info: dict[str, Any]) -> str:
        return add_image(_plain(image_id), image_filename, image_info)

    def save(image_id: str, label_filename: str, label_tag: str, label_info: dict[str, Any]) -> str:
        return save_label(image_id, label_filename, _plain(label_tag), label_info)

    store.add_image, store.save_label = add, save


def _plain(name: str) -> str:
    if not name or name.startswith(".") or set(name) & set("/\\\0"):
        raise HTTPException(422, f"{name!r} cannot be a file's name: leave out slashes and leading dots")
    return name
