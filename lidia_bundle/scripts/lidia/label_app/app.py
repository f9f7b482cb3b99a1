"""The app of a MONAI Label server: one model, `lidia`, on a folder of NIfTI or a DICOMweb server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from monailabel.interfaces.app import MONAILabelApp

from scripts.lidia.engine.atomic import replacing
from scripts.lidia.engine.results import renumber
from scripts.lidia.label_app.tasks import Batch, Inference, LeastCertain, Training, Uncertainty


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

    def on_save_label(self, image_id: str, label_id: str) -> None:
        """Gives a saved label our numbers: clients count the segments that are left, and say their names."""
        told = self.datastore().get_label_info(label_id, "final").get("label_info") or ()
        ours = {part["idx"]: self.model.labels.get(part["name"].lower(), part["idx"]) for part in told}
        renumber(self.datastore().get_label_uri(label_id, "final"), ours)


def keep_whole(store: Any) -> None:
    """Has a datastore replace its list by a rename; MONAI Label writes in place, and a kill would halve it."""

    def write(lock: bool = True) -> None:
        path = Path(store._datastore_config_path)
        with replacing(path) as beside:
            beside.write_text(store._datastore.model_dump_json(exclude={"base_path"}, indent=2), "utf-8")
        store._config_ts = path.stat().st_mtime

    store._update_datastore_file = write
    if hasattr(store, "_handler"):  # the server's other processes write the list too
        store._handler.on_moved = lambda event: store._init_from_datastore_file()
