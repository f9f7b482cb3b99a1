"""Lists every endpoint of the label server and the check of every value; all other requests are refused."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from scripts.lidia.label_app import label_values as checks
from scripts.lidia.label_app.values import (
    Checks,
    ServerState,
    check_boolean,
    make_choice_check,
    make_integer_check,
    make_number_check,
    make_query_check,
    make_server_name_check,
)

NO_WEIGHTS = "weights are not accepted from clients: put them into models/model.pt on the server"
NO_SLIDES = "no model accepts pathology slides"
NO_RELOAD = "restart the server instead"


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


CLIENT: Checks = {"client_id": checks.check_client}
RESULT: Checks = {
    "device": checks.check_device,
    "model_filename": make_server_name_check(lambda state: state.weights),
    "result_extension": make_choice_check(".nrrd", ".nii.gz", ".nii"),
    "result_dtype": make_choice_check("uint8", "uint16", "int16", "int32", "float32"),
    "result_compress": check_boolean,
    "restore_label_idx": check_boolean,
    "save_label": check_boolean,
    "label_tag": checks.check_tag,
    "logging": make_choice_check("DEBUG", "INFO", "WARNING", "ERROR"),
}
INFER = CLIENT | RESULT | {"label_info": checks.check_segments}
BATCH = CLIENT | RESULT
BATCH |= {"multi_gpu": check_boolean, "gpus": checks.check_gpus, "max_workers": make_integer_check(0, 64)}
BATCH |= {"max_batch_size": make_integer_check(0, 1_000_000), "images": checks.check_images}
TRAINING_OPTIONS: Checks = {
    "device": checks.check_device,
    "pretrained": check_boolean,
    "max_epochs": make_integer_check(1, 100_000),
    "val_split": make_number_check(-1, 0.9),
    "multi_gpu": check_boolean,
    "gpus": checks.check_gpus,
}
TRAIN = CLIENT | TRAINING_OPTIONS
# viewers send these defaults of MONAI Label back; no other value is accepted
TRAIN |= {
    "tracking": make_choice_check("None", ""),
    "tracking_uri": make_choice_check(""),
    "tracking_experiment_name": make_choice_check(""),
}
TRAIN |= {"run_id": make_choice_check("", "run"), "model_filename": make_choice_check("model.pt")}
LABEL = CLIENT | {"label_info": checks.check_segments}

STATUS = Endpoint(
    query={"all": make_query_check(check_boolean), "check_if_running": make_query_check(check_boolean)}
)
SYNC = {"run_sync": make_query_check(check_boolean)}
ANY_PATH: Checks = {"path": checks.check_page}
PAGE = Endpoint(page=True, public=True)
FILES = Endpoint(path=ANY_PATH, page=True, public=True)
DICOM = Endpoint(path={"path": checks.check_dicomweb_path}, dicomweb=True, page=True)
STORE = Endpoint(path={"path": checks.check_dicomweb_path}, dicomweb=True, stream=True)
MODEL = Endpoint(path={"model": make_server_name_check(lambda state: state.models)})
SESSION: Checks = {"session_id": checks.make_pattern_check(checks.SESSION, "the id of a session")}
TAGGED = {"label": checks.check_image, "tag": checks.check_tag}
UPLOAD = Endpoint(
    query={"image": checks.check_name},
    names_image=True,
    options=CLIENT,
    document="params",
    uploads={"file": "image"},
)
REMOVE = Endpoint(query={"id": checks.check_image}, required=("id",), image="id")
IMAGE = Endpoint(query={"image": checks.check_image}, required=("image",), image="image")
LABEL_INFO = Endpoint(query=TAGGED, required=("label", "tag"), image="label")

ENDPOINTS: dict[tuple[str, str], Endpoint] = {
    ("GET", "/auth/"): PAGE,
    ("POST", "/auth/token"): Endpoint(
        fields={
            "username": checks.check_user,
            "password": checks.check_secret,
            "grant_type": make_choice_check("password"),
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
        path={"model": make_server_name_check(lambda state: state.models)},
        query={
            "image": checks.check_image,
            "session_id": checks.check_session,
            "output": make_choice_check("image", "json", "all", "dicom_seg"),
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
        path={"model": make_server_name_check(lambda state: state.models)},
        query={"images": make_choice_check("all", "labeled", "unlabeled")} | SYNC,
        options=BATCH,
    ),
    ("GET", "/train/"): STATUS,
    ("DELETE", "/train/"): Endpoint(),
    ("POST", "/train/"): Endpoint(query=SYNC, options=TRAIN, nested=lambda state: state.trainers),
    ("POST", "/train/{model}"): Endpoint(
        path={"model": make_server_name_check(lambda state: state.trainers)},
        query=SYNC | {"enqueue": make_query_check(check_boolean)},
        options=TRAIN,
    ),
    ("POST", "/activelearning/{strategy}"): Endpoint(
        path={"strategy": make_server_name_check(lambda state: state.strategies)}, options=CLIENT
    ),
    ("GET", "/scoring/"): STATUS,
    ("DELETE", "/scoring/"): Endpoint(),
    ("POST", "/scoring/"): Endpoint(query=SYNC, options=CLIENT, nested=lambda state: state.methods),
    ("POST", "/scoring/{method}"): Endpoint(
        path={"method": make_server_name_check(lambda state: state.methods)}, query=SYNC, options=CLIENT
    ),
    ("GET", "/datastore/"): Endpoint(query={"output": make_choice_check("train", "stats", "all")}),
    ("PUT", "/datastore/"): UPLOAD,
    ("PUT", "/datastore/image"): UPLOAD,
    ("DELETE", "/datastore/"): REMOVE,
    ("DELETE", "/datastore/image"): REMOVE,
    ("HEAD", "/datastore/image"): Endpoint(
        query={"image": checks.check_image, "check_sum": checks.check_checksum},
        required=("image",),
        image="image",
    ),
    ("GET", "/datastore/image"): IMAGE,
    ("GET", "/datastore/image/info"): IMAGE,
    ("PUT", "/datastore/image/info"): Endpoint(
        query=IMAGE.query, required=("image",), image="image", options=CLIENT, document="info"
    ),
    ("PUT", "/datastore/label"): Endpoint(
        query={"image": checks.check_image, "tag": checks.check_tag},
        required=("image",),
        image="image",
        options=LABEL,
        document="params",
        uploads={"label": "label"},
    ),
    ("DELETE", "/datastore/label"): Endpoint(
        query={"id": checks.check_image, "tag": checks.check_tag}, required=("id", "tag"), image="id"
    ),
    ("HEAD", "/datastore/label"): Endpoint(
        query={"image": checks.check_image, "tag": checks.check_tag}, required=("image", "tag"), image="image"
    ),
    ("GET", "/datastore/label"): LABEL_INFO,
    ("GET", "/datastore/label/info"): LABEL_INFO,
    ("PUT", "/datastore/label/info"): Endpoint(
        query=TAGGED, required=("label", "tag"), image="label", options=LABEL, document="info"
    ),
    ("PUT", "/datastore/updatelabelinfo"): Endpoint(
        query=TAGGED, required=("label", "tag"), image="label", options=LABEL, document="params"
    ),
    ("GET", "/datastore/dataset"): Endpoint(
        query={"limit_cases": make_query_check(make_integer_check(0, 1_000_000))}
    ),
    ("GET", "/logs/"): Endpoint(
        query={
            "lines": make_query_check(make_integer_check(1, 100_000)),
            "html": make_query_check(check_boolean),
            "text": make_query_check(check_boolean),
            "refresh": make_query_check(make_integer_check(0, 86_400)),
        }
    ),
    ("GET", "/logs/gpu"): Endpoint(),
    ("GET", "/session/{session_id}"): Endpoint(
        path=SESSION,
        query={"update_ts": make_query_check(check_boolean), "image": make_query_check(check_boolean)},
    ),
    ("DELETE", "/session/{session_id}"): Endpoint(path=SESSION),
    ("PUT", "/session/"): Endpoint(
        query={
            "uncompress": make_choice_check("false", "False", "0"),
            "expiry": make_query_check(make_integer_check(0, 31_536_000)),
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
