"""Types of what clients of a label server name: images, tags, sessions, devices, segments."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from scripts.lidia.label_app.values import Check, Offer, Refusal, brief, group, pattern, whole

MAX_NAME_BYTES = 200
MAX_LIST = 10_000

NAME = re.compile(r"[^\W_](?:[\w .,:;+=#^~&()\[\]-]*[\w.+#)\]-])?")
"""A name of a patient, a volume or a segment, in any script."""

TITLE = re.compile(r"[^\W_][\w .,:;+=#^~&()\[\]/%-]{0,254}")
"""What a viewer calls a volume that it sends by itself; no file is named by it."""

TAG = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_. -]{0,62}[A-Za-z0-9_-])?")
SESSION = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
CLIENT = re.compile(r"[^\W_](?:[\w .@+-]{0,126}[\w+-])?")
CHECKSUM = re.compile(r"(?:SHA256:|SHA512:|MD5:)?[0-9A-Fa-f]{32,128}")
UID = re.compile(r"(?=.{1,64}\Z)[0-9]+(?:\.[0-9]+)*")
"""DICOM PS3.5, 9.1."""

DICOMWEB = re.compile(r"(?:studies|series|instances)(?:/[A-Za-z0-9][A-Za-z0-9._,-]*)*")
"""DICOM PS3.18, 10.1: what stands behind the address of a DICOMweb server."""

PAGE = re.compile(r"(?:[\w-][\w.-]*(?:/[\w-][\w.-]*)*/?)?")

tag = pattern(TAG, "a tag of letters, digits, _, - and single dots")
title = pattern(TITLE, "a name of letters, digits, spaces and .,:;+=#^~&()[]/%_-")
session = pattern(SESSION, "the id of a session", optional=True)
client = pattern(CLIENT, "a client's name of letters, digits, _, -, +, @ and single dots", optional=True)
checksum = pattern(CHECKSUM, "a checksum in hexadecimal digits")
page = pattern(PAGE, "a file of a page")
dicomweb_path = pattern(DICOMWEB, "a DICOMweb path below studies, series or instances", longest=2000)


def user(key: str, value: Any, offer: Offer) -> str:
    """A user's name, which goes to the realm alone.

    Raises:
        Refusal: the value is none of this type.
    """
    if not isinstance(value, str) or not 0 < len(value) <= 256 or not value.isprintable():
        raise Refusal(key, "a name of at most 256 printable characters")
    return value


def secret(key: str, value: Any, offer: Offer) -> str:
    """A password, which goes to the realm alone and into no message.

    Raises:
        Refusal: the value is none of this type.
    """
    if not isinstance(value, str) or not 0 < len(value) <= 1024:
        raise Refusal(key, "at most 1024 characters")
    return value


def name(key: str, value: Any, offer: Offer) -> str:
    """A name that may become a file's: no path, no expression, no sign that only looks like another.

    Raises:
        Refusal: the value is none of this type.
    """
    fits = isinstance(value, str) and len(value.encode("utf-8", "replace")) <= MAX_NAME_BYTES
    if not fits or not NAME.fullmatch(value) or ".." in value or "::" in value:
        wanted = "a name of letters, digits, spaces and .,:;+=#^~&()[]_- that begins with a letter or digit"
        raise Refusal(key, f"{wanted}, not {brief(value)}")
    if unicodedata.normalize("NFKC", value) != value:
        raise Refusal(key, f"{brief(value)} has compatibility characters of Unicode; write it in plain ones")
    return value


def image(key: str, value: Any, offer: Offer) -> str:
    """The name of an image that is there, or that could be.

    Raises:
        Refusal: the value is none of this type.
    """
    if offer.dicomweb and not (isinstance(value, str) and UID.fullmatch(value)):
        raise Refusal(key, f"the UID of a series, not {brief(value)}")
    if isinstance(value, str) and len(value) <= MAX_NAME_BYTES and offer.has_image(value):
        return value
    return name(key, value, offer)


def images(key: str, value: Any, offer: Offer) -> list[str]:
    """Names of images that are there.

    Raises:
        Refusal: the value is none of this type.
    """
    if not isinstance(value, list) or len(value) > MAX_LIST:
        raise Refusal(key, f"a list of at most {MAX_LIST} names of images, not {brief(value)}")
    return [present(key, image(key, entry, offer), offer) for entry in value]


def present(key: str, value: str, offer: Offer) -> str:
    """The name of an image that is there.

    Raises:
        Refusal: with status 404.
    """
    if not offer.has_image(value):
        lists = "GET /datastore/?output=all lists them"
        raise Refusal(key, f"the datastore has no such image as {brief(value)}: {lists}", 404)
    return value


def device(key: str, value: Any, offer: Offer) -> str:
    """PyTorch's name of a device that is there.

    Raises:
        Refusal: the value is none of this type.
    """
    if not isinstance(value, str) or value not in offer.devices:
        raise Refusal(key, f"one of {', '.join(offer.devices)}, not {brief(value)}")
    return offer.devices[value]


def gpus(key: str, value: Any, offer: Offer) -> str:
    """`all`, or the numbers of GPUs with commas.

    Raises:
        Refusal: the value is none of this type.
    """
    if value == "all":
        return value
    numbers = {str(one) for one in range(offer.gpus)}
    if not isinstance(value, str) or len(value) > 100 or not set(value.split(",")) <= numbers:
        raise Refusal(key, f"all, or numbers below {offer.gpus} with commas, not {brief(value)}")
    return value


def segments(key: str, value: Any, offer: Offer) -> list[dict[str, Any]]:
    """Names and numbers of the segments of a label.

    Raises:
        Refusal: the value is none of this type.
    """
    if not isinstance(value, list) or len(value) > 255:
        raise Refusal(key, f"a list of at most 255 segments, not {brief(value)}")
    for part in value:
        if not isinstance(part, dict) or not {"name", "idx"} <= part.keys():
            raise Refusal(key, f"each segment has a name and an idx, not {brief(part)}")
    return [group(SEGMENT, part, offer, key) for part in value]


def colour(key: str, value: Any, offer: Offer) -> list[int]:
    """Red, green and blue, and perhaps an opacity.

    Raises:
        Refusal: the value is none of this type.
    """
    if not isinstance(value, list) or not 3 <= len(value) <= 4:
        raise Refusal(key, f"three or four numbers from 0 to 255, not {brief(value)}")
    return [whole(0, 255)(key, part, offer) for part in value]


SEGMENT: Mapping[str, Check] = {
    "name": name,
    "idx": whole(0, 255),
    "description": name,
    "model_name": name,
    "color": colour,
}
