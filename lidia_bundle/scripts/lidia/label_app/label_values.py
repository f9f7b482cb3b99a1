"""Checks values that clients send: names of images, tags, sessions, devices and segments."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from scripts.lidia.label_app.values import (
    Check,
    Refusal,
    ServerState,
    check_group,
    make_integer_check,
    make_pattern_check,
    make_secret_check,
    shorten,
)

MAX_NAME_BYTES = 200
MAX_LIST = 10_000

NAME = re.compile(r"[^\W_](?:[\w .,:;+=#^~&()\[\]-]*[\w.+#)\]-])?")
"""A name of a patient, a volume or a segment, in any script."""

TITLE = re.compile(r"[^\W_][\w .,:;+=#^~&()\[\]/%-]{0,254}")
"""A viewer's name of a volume that it uploads; it names no file."""

TAG = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_. -]{0,62}[A-Za-z0-9_-])?")
SESSION = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
CLIENT = re.compile(r"[^\W_](?:[\w .@+-]{0,126}[\w+-])?")
CHECKSUM = re.compile(r"(?:SHA256:|SHA512:|MD5:)?[0-9A-Fa-f]{32,128}")
UID = re.compile(r"(?=.{1,64}\Z)[0-9]+(?:\.[0-9]+)*")
"""DICOM PS3.5, 9.1."""

DICOMWEB = re.compile(r"(?:studies|series|instances)(?:/[A-Za-z0-9][A-Za-z0-9._,-]*)*")
"""DICOM PS3.18, 10.1: the path below the address of a DICOMweb server."""

PAGE = re.compile(r"(?:[\w-][\w.-]*(?:/[\w-][\w.-]*)*/?)?")

check_tag = make_pattern_check(TAG, "a tag of letters, digits, _, - and single dots")
check_title = make_pattern_check(TITLE, "a name of letters, digits, spaces and .,:;+=#^~&()[]/%_-")
check_session = make_pattern_check(SESSION, "the id of a session", optional=True)
check_client = make_pattern_check(
    CLIENT, "a client's name of letters, digits, _, -, +, @ and single dots", optional=True
)
check_checksum = make_pattern_check(CHECKSUM, "a checksum in hexadecimal digits")
check_page = make_pattern_check(PAGE, "a file of a page")
check_dicomweb_path = make_pattern_check(
    DICOMWEB, "a DICOMweb path below studies, series or instances", longest=2000
)


# user name and password are passed to the realm only
check_user = make_secret_check(256, "a name of at most 256 printable characters", printable=True)
check_secret = make_secret_check(1024, "at most 1024 characters")


def check_name(key: str, value: Any, state: ServerState) -> str:
    """Checks a name that may become a file name: no path, no expression, no compatibility characters.

    Raises:
        Refusal: the value is not of this type.
    """
    fits = isinstance(value, str) and len(value.encode("utf-8", "replace")) <= MAX_NAME_BYTES
    if not fits or not NAME.fullmatch(value) or ".." in value or "::" in value:
        expected = "a name of letters, digits, spaces and .,:;+=#^~&()[]_- that begins with a letter or digit"
        raise Refusal(key, f"{expected}, not {shorten(value)}")
    if unicodedata.normalize("NFKC", value) != value:
        problem = "has compatibility characters of Unicode; write it in plain ones"
        raise Refusal(key, f"{shorten(value)} {problem}")
    return value


def check_image(key: str, value: Any, state: ServerState) -> str:
    """Checks the name of an existing or a new image.

    Raises:
        Refusal: the value is not of this type.
    """
    if state.dicomweb and not (isinstance(value, str) and UID.fullmatch(value)):
        raise Refusal(key, f"the UID of a series, not {shorten(value)}")
    if isinstance(value, str) and len(value) <= MAX_NAME_BYTES and state.has_image(value):
        return value
    return check_name(key, value, state)


def check_images(key: str, value: Any, state: ServerState) -> list[str]:
    """Checks a list of names of existing images.

    Raises:
        Refusal: the value is not of this type.
    """
    if not isinstance(value, list) or len(value) > MAX_LIST:
        raise Refusal(key, f"a list of at most {MAX_LIST} names of images, not {shorten(value)}")
    return [require_image(key, check_image(key, entry, state), state) for entry in value]


def require_image(key: str, value: str, state: ServerState) -> str:
    """Checks that an image exists.

    Raises:
        Refusal: with status 404.
    """
    if not state.has_image(value):
        lists = "GET /datastore/?output=all lists them"
        raise Refusal(key, f"the datastore has no such image as {shorten(value)}: {lists}", 404)
    return value


def check_device(key: str, value: Any, state: ServerState) -> str:
    """Checks a device and returns PyTorch's name of it.

    Raises:
        Refusal: the value is not of this type.
    """
    if not isinstance(value, str) or value not in state.devices:
        raise Refusal(key, f"one of {', '.join(state.devices)}, not {shorten(value)}")
    return state.devices[value]


def check_gpus(key: str, value: Any, state: ServerState) -> str:
    """Checks `all`, or the numbers of GPUs, separated by commas.

    Raises:
        Refusal: the value is not of this type.
    """
    if value == "all":
        return value
    numbers = {str(number) for number in range(state.gpus)}
    if not isinstance(value, str) or len(value) > 100 or not set(value.split(",")) <= numbers:
        raise Refusal(key, f"all, or numbers below {state.gpus} with commas, not {shorten(value)}")
    return value


def check_segments(key: str, value: Any, state: ServerState) -> list[dict[str, Any]]:
    """Checks the names and numbers of the segments of a label.

    Raises:
        Refusal: the value is not of this type.
    """
    if not isinstance(value, list) or len(value) > 255:
        raise Refusal(key, f"a list of at most 255 segments, not {shorten(value)}")
    for part in value:
        if not isinstance(part, dict) or not {"name", "idx"} <= part.keys():
            raise Refusal(key, f"each segment has a name and an idx, not {shorten(part)}")
    return [check_group(SEGMENT, part, state, key) for part in value]


def check_colour(key: str, value: Any, state: ServerState) -> list[int]:
    """Checks a colour: red, green, blue and an optional opacity.

    Raises:
        Refusal: the value is not of this type.
    """
    if not isinstance(value, list) or not 3 <= len(value) <= 4:
        raise Refusal(key, f"three or four numbers from 0 to 255, not {shorten(value)}")
    return [make_integer_check(0, 255)(key, part, state) for part in value]


SEGMENT: Mapping[str, Check] = {
    "name": check_name,
    "idx": make_integer_check(0, 255),
    "description": check_name,
    "model_name": check_name,
    "color": check_colour,
}
