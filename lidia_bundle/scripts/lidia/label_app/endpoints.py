"""Lists every endpoint of the label server and the check of every value; all other requests are refused."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from scripts.lidia.label_app import label_values as named
from scripts.lidia.label_app.values import (
    Checks,
    ServerState,
    boolean,
    choice,
    from_query_text,
    integer,
    number,
    one_of_offer,
)

NO_WEIGHTS = "weights are not accepted from clients: put them into models/model.pt on the server"
NO_SLIDES = "no model accepts pathology slides"
NO_RELOAD = "restart the server instead"


def models(offer: ServerState) -> Collection[str]:
    """Returns the names of the inference models."""
    return offer.models


def trainers(offer: ServerState) -> Collection[str]:
    """Returns the names of the training models."""
    return offer.trainers


def strategies(offer: ServerState) -> Collection[str]:
    """Returns the names of the active learning strategies."""
    return offer.strategies


def methods(offer: ServerState) -> Collection[str]:
    """Returns the names of the scoring methods."""
    return offer.methods


def weights(offer: ServerState) -> Collection[str]:
    """Returns the names of the weight files."""
    return offer.weights


@dataclass(frozen=True)
class Endpoint:
    """The accepted content of a request to one endpoint.

    Args:
        path: checks of the variable parts of its path.
        query: checks of its parameters.
        required: parameters that must be given.
        image: the parameter that names an existing image.
        names_image: whether `image`, or else the file name, names a new image.
        options: checks of its JSON keys; the JSON is the body, or the form field `document`.
        document: the form field with the JSON; empty if the body is the JSON.
        nested: returns JSON keys that may hold the same options again.
        fields: checks of the other form fields.
        uploads: files of the form: `image` or `label`.
        stream: the body is passed to the DICOMweb server unchanged.
        dicomweb: the endpoint exists only for studies on a DICOMweb server.
        closed: reason why it is closed; empty if it is open.
        public: needs no token.
        page: a static page of the server; its query is ignored.
    """

    path: Checks = field(default_factory=dict)
    query: Checks = field(default_factory=dict)
    required: tuple[str, ...] = ()
    image: str = ""
    names_image: bool = False
    options: Checks | None = None
    document: str = ""
    nested: Callable[[ServerState], Collection[str]] | None = None
    fields: Checks = field(default_factory=dict)
    uploads: dict[str, str] = field(default_factory=dict)
    stream: bool = False
    dicomweb: bool = False
    closed: str = ""
    public: bool = False
    page: bool = False


CLIENT: Checks = {"client_id": named.client}
RESULT: Checks = {
    "device": named.device,
    "model_filename": one_of_offer(weights),
    "result_extension": choice(".nrrd", ".nii.gz", ".nii"),
    "result_dtype": choice("uint8", "uint16", "int16", "int32", "float32"),
    "result_compress": boolean,
    "restore_label_idx": boolean,
    "save_label": boolean,
    "label_tag": named.tag,
    "logging": choice("DEBUG", "INFO", "WARNING", "ERROR"),
}
INFER = CLIENT | RESULT | {"label_info": named.segments}
BATCH = CLIENT | RESULT
BATCH |= {"multi_gpu": boolean, "gpus": named.gpus, "max_workers": integer(0, 64)}
BATCH |= {"max_batch_size": integer(0, 1_000_000), "images": named.images}
TRAINING_OPTIONS: Checks = {
    "device": named.device,
    "pretrained": boolean,
    "max_epochs": integer(1, 100_000),
    "val_split": number(-1, 0.9),
    "multi_gpu": boolean,
    "gpus": named.gpus,
}
TRAIN = CLIENT | TRAINING_OPTIONS
# viewers send these defaults of MONAI Label back; no other value is accepted
TRAIN |= {"tracking": choice("None", ""), "tracking_uri": choice(""), "tracking_experiment_name": choice("")}
TRAIN |= {"run_id": choice("", "run"), "model_filename": choice("model.pt")}
LABEL = CLIENT | {"label_info": named.segments}

STATUS = Endpoint(query={"all": from_query_text(boolean), "check_if_running": from_query_text(boolean)})
SYNC = {"run_sync": from_query_text(boolean)}
ANY_PATH: Checks = {"path": named.page}
PAGE = Endpoint(page=True, public=True)
FILES = Endpoint(path=ANY_PATH, page=True, public=True)
DICOM = Endpoint(path={"path": named.dicomweb_path}, dicomweb=True, page=True)
STORE = Endpoint(path={"path": named.dicomweb_path}, dicomweb=True, stream=True)
MODEL = Endpoint(path={"model": one_of_offer(models)})
SESSION: Checks = {"session_id": named.matching(named.SESSION, "the id of a session")}
TAGGED = {"label": named.image, "tag": named.tag}
UPLOAD = Endpoint(
    query={"image": named.name},
    names_image=True,
    options=CLIENT,
    document="params",
    uploads={"file": "image"},
)
REMOVE = Endpoint(query={"id": named.image}, required=("id",), image="id")
IMAGE = Endpoint(query={"image": named.image}, required=("image",), image="image")
LABEL_INFO = Endpoint(query=TAGGED, required=("label", "tag"), image="label")

ENDPOINTS: dict[tuple[str, str], Endpoint] = {
    ("GET", "/auth/"): PAGE,
    ("POST", "/auth/token"): Endpoint(
        fields={
            "username": named.user,
            "password": named.secret,
            "grant_type": choice("password"),
        },
        public=True,
    ),
    ("GET", "/auth/token/valid"): Endpoint(),
    ("GET", "/info/"): Endpoint(),
    ("GET", "/model/{model}"): MODEL,
    ("GET", "/model/info/{model}"): MODEL,
    ("PUT", "/model/{model}"): Endpoint(closed=NO_WEIGHTS),
    ("DELETE", "/model/{model}"): Endpoint(closed=NO_WEIGHTS),
    ("POST", "/infer/{model}"): Endpoint(
        path={"model": one_of_offer(models)},
        query={
            "image": named.image,
            "session_id": named.session,
            "output": choice("image", "json", "all", "dicom_seg"),
        },
        image="image",
        options=INFER,
        document="params",
        uploads={"file": "image"},
    ),
    ("POST", "/infer/wsi/{model}"): Endpoint(closed=NO_SLIDES),
    ("POST", "/infer/wsi_v2/{model}"): Endpoint(closed=NO_SLIDES),
    ("GET", "/batch/infer"): STATUS,
    ("DELETE", "/batch/infer"): Endpoint(),
    ("POST", "/batch/infer/{model}"): Endpoint(
        path={"model": one_of_offer(models)},
        query={"images": choice("all", "labeled", "unlabeled")} | SYNC,
        options=BATCH,
    ),
    ("GET", "/train/"): STATUS,
    ("DELETE", "/train/"): Endpoint(),
    ("POST", "/train/"): Endpoint(query=SYNC, options=TRAIN, nested=trainers),
    ("POST", "/train/{model}"): Endpoint(
        path={"model": one_of_offer(trainers)},
        query=SYNC | {"enqueue": from_query_text(boolean)},
        options=TRAIN,
    ),
    ("POST", "/activelearning/{strategy}"): Endpoint(
        path={"strategy": one_of_offer(strategies)}, options=CLIENT
    ),
    ("GET", "/scoring/"): STATUS,
    ("DELETE", "/scoring/"): Endpoint(),
    ("POST", "/scoring/"): Endpoint(query=SYNC, options=CLIENT, nested=methods),
    ("POST", "/scoring/{method}"): Endpoint(
        path={"method": one_of_offer(methods)}, query=SYNC, options=CLIENT
    ),
    ("GET", "/datastore/"): Endpoint(query={"output": choice("train", "stats", "all")}),
    ("PUT", "/datastore/"): UPLOAD,
    ("PUT", "/datastore/image"): UPLOAD,
    ("DELETE", "/datastore/"): REMOVE,
    ("DELETE", "/datastore/image"): REMOVE,
    ("HEAD", "/datastore/image"): Endpoint(
        query={"image": named.image, "check_sum": named.checksum}, required=("image",), image="image"
    ),
    ("GET", "/datastore/image"): IMAGE,
    ("GET", "/datastore/image/info"): IMAGE,
    ("PUT", "/datastore/image/info"): Endpoint(
        query=IMAGE.query, required=("image",), image="image", options=CLIENT, document="info"
    ),
    ("PUT", "/datastore/label"): Endpoint(
        query={"image": named.image, "tag": named.tag},
        required=("image",),
        image="image",
        options=LABEL,
        document="params",
        uploads={"label": "label"},
    ),
    ("DELETE", "/datastore/label"): Endpoint(
        query={"id": named.image, "tag": named.tag}, required=("id", "tag"), image="id"
    ),
    ("HEAD", "/datastore/label"): Endpoint(
        query={"image": named.image, "tag": named.tag}, required=("image", "tag"), image="image"
    ),
    ("GET", "/datastore/label"): LABEL_INFO,
    ("GET", "/datastore/label/info"): LABEL_INFO,
    ("PUT", "/datastore/label/info"): Endpoint(
        query=TAGGED, required=("label", "tag"), image="label", options=LABEL, document="info"
    ),
    ("PUT", "/datastore/updatelabelinfo"): Endpoint(
        query=TAGGED, required=("label", "tag"), image="label", options=LABEL, document="params"
    ),
    ("GET", "/datastore/dataset"): Endpoint(query={"limit_cases": from_query_text(integer(0, 1_000_000))}),
    ("GET", "/logs/"): Endpoint(
        query={
            "lines": from_query_text(integer(1, 100_000)),
            "html": from_query_text(boolean),
            "text": from_query_text(boolean),
            "refresh": from_query_text(integer(0, 86_400)),
        }
    ),
    ("GET", "/logs/gpu"): Endpoint(),
    ("GET", "/session/{session_id}"): Endpoint(
        path=SESSION, query={"update_ts": from_query_text(boolean), "image": from_query_text(boolean)}
    ),
    ("DELETE", "/session/{session_id}"): Endpoint(path=SESSION),
    ("PUT", "/session/"): Endpoint(
        query={
            "uncompress": choice("false", "False", "0"),
            "expiry": from_query_text(integer(0, 31_536_000)),
        },
        fields=CLIENT,
        uploads={"files": "image"},
    ),
    ("GET", "/ohif/{path:path}"): Endpoint(path=ANY_PATH, page=True),
    ("GET", "/proxy/dicom/wado/{path:path}"): DICOM,
    ("POST", "/proxy/dicom/wado/{path:path}"): STORE,
    ("GET", "/proxy/dicom/qido/{path:path}"): DICOM,
    ("POST", "/proxy/dicom/qido/{path:path}"): STORE,
    ("GET", "/proxy/dicom/stow/{path:path}"): DICOM,
    ("POST", "/proxy/dicom/stow/{path:path}"): STORE,
    ("GET", "/proxy/dicom/{path:path}"): DICOM,
    ("POST", "/proxy/dicom/{path:path}"): STORE,
    ("GET", "/"): PAGE,
    ("GET", "/docs"): PAGE,
    ("GET", "/openapi.json"): PAGE,
    ("HEAD", "/openapi.json"): PAGE,
    ("HEAD", "/docs"): PAGE,
    ("GET", "/favicon.ico"): PAGE,
    ("GET", "/static/{path:path}"): FILES,
    ("HEAD", "/static/{path:path}"): FILES,
    ("POST", "/reload"): Endpoint(closed=NO_RELOAD),
}
