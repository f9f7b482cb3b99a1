"""Every endpoint of the label server, and the type of every value that it takes; there is no other."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from scripts.lidia.label_app import label_values as named
from scripts.lidia.label_app.values import Checks, Offer, boolean, choice, from_text, number, offered, whole

NO_WEIGHTS = "weights are not taken from clients: put them into models/model.pt on the server"
NO_SLIDES = "none of the models takes slides of pathology"
NO_RELOAD = "restart the server instead"


def models(offer: Offer) -> Collection[str]:
    """Names of the models that infer."""
    return offer.models


def trainers(offer: Offer) -> Collection[str]:
    """Names of the models that train."""
    return offer.trainers


def strategies(offer: Offer) -> Collection[str]:
    """Names of the strategies of active learning."""
    return offer.strategies


def methods(offer: Offer) -> Collection[str]:
    """Names of the scoring methods."""
    return offer.methods


def weights(offer: Offer) -> Collection[str]:
    """Names of the files of weights."""
    return offer.weights


@dataclass(frozen=True)
class Endpoint:
    """What a request to one endpoint may hold.

    Args:
        path: types of the parts of its path that clients choose.
        query: types of its parameters.
        required: parameters that must be there.
        image: the parameter that names an image which must be there.
        names_image: the parameter `image` names a new image; without it, the name of the file does.
        options: types of the keys of its JSON, which is the body itself or the form's field `document`.
        document: the form's field that holds the JSON; empty if the body does.
        nested: gives the keys of the JSON that may hold the options once more.
        fields: types of the form's other fields.
        uploads: files of the form: `image` or `label`.
        stream: the body goes to the DICOMweb server as it is.
        dicomweb: there is such an endpoint for studies on a DICOMweb server alone.
        closed: why nobody may call it.
        public: is answered without a token, where tokens are asked for.
        page: a file of the server's own; its query is for the browser and is not read here.
    """

    path: Checks = field(default_factory=dict)
    query: Checks = field(default_factory=dict)
    required: tuple[str, ...] = ()
    image: str = ""
    names_image: bool = False
    options: Checks | None = None
    document: str = ""
    nested: Callable[[Offer], Collection[str]] | None = None
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
    "model_filename": offered(weights),
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
BATCH |= {"multi_gpu": boolean, "gpus": named.gpus, "max_workers": whole(0, 64)}
BATCH |= {"max_batch_size": whole(0, 1_000_000), "images": named.images}
TRAINING_OPTIONS: Checks = {
    "device": named.device,
    "pretrained": boolean,
    "max_epochs": whole(1, 100_000),
    "val_split": number(-1, 0.9),
    "multi_gpu": boolean,
    "gpus": named.gpus,
}
TRAIN = CLIENT | TRAINING_OPTIONS
# as they stand in MONAI Label's own list of options, which viewers send back; no other value is taken
TRAIN |= {"tracking": choice("None", ""), "tracking_uri": choice(""), "tracking_experiment_name": choice("")}
TRAIN |= {"run_id": choice("", "run"), "model_filename": choice("model.pt")}
LABEL = CLIENT | {"label_info": named.segments}

STATUS = Endpoint(query={"all": from_text(boolean), "check_if_running": from_text(boolean)})
SYNC = {"run_sync": from_text(boolean)}
ANY_PATH: Checks = {"path": named.page}
PAGE = Endpoint(page=True, public=True)
FILES = Endpoint(path=ANY_PATH, page=True, public=True)
DICOM = Endpoint(path={"path": named.dicomweb_path}, dicomweb=True, page=True)
STORE = Endpoint(path={"path": named.dicomweb_path}, dicomweb=True, stream=True)
MODEL = Endpoint(path={"model": offered(models)})
SESSION: Checks = {"session_id": named.pattern(named.SESSION, "the id of a session")}
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
        path={"model": offered(models)},
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
        path={"model": offered(models)},
        query={"images": choice("all", "labeled", "unlabeled")} | SYNC,
        options=BATCH,
    ),
    ("GET", "/train/"): STATUS,
    ("DELETE", "/train/"): Endpoint(),
    ("POST", "/train/"): Endpoint(query=SYNC, options=TRAIN, nested=trainers),
    ("POST", "/train/{model}"): Endpoint(
        path={"model": offered(trainers)}, query=SYNC | {"enqueue": from_text(boolean)}, options=TRAIN
    ),
    ("POST", "/activelearning/{strategy}"): Endpoint(path={"strategy": offered(strategies)}, options=CLIENT),
    ("GET", "/scoring/"): STATUS,
    ("DELETE", "/scoring/"): Endpoint(),
    ("POST", "/scoring/"): Endpoint(query=SYNC, options=CLIENT, nested=methods),
    ("POST", "/scoring/{method}"): Endpoint(path={"method": offered(methods)}, query=SYNC, options=CLIENT),
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
    ("GET", "/datastore/dataset"): Endpoint(query={"limit_cases": from_text(whole(0, 1_000_000))}),
    ("GET", "/logs/"): Endpoint(
        query={
            "lines": from_text(whole(1, 100_000)),
            "html": from_text(boolean),
            "text": from_text(boolean),
            "refresh": from_text(whole(0, 86_400)),
        }
    ),
    ("GET", "/logs/gpu"): Endpoint(),
    ("GET", "/session/{session_id}"): Endpoint(
        path=SESSION, query={"update_ts": from_text(boolean), "image": from_text(boolean)}
    ),
    ("DELETE", "/session/{session_id}"): Endpoint(path=SESSION),
    ("PUT", "/session/"): Endpoint(
        query={"uncompress": choice("false", "False", "0"), "expiry": from_text(whole(0, 31_536_000))},
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
