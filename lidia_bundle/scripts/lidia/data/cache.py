"""Caches preprocessed cases on disk as plain tensors, so that each case is read and resampled only once."""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from monai.data import PersistentDataset
from monai.transforms import Compose

from scripts.lidia.atomic import write_atomically, write_text
from scripts.lidia.data.cache_format import from_cache, to_cache, to_cache_with_affine
from scripts.lidia.data.preprocessing import Preprocessing
from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.read_item import MASKS, complete_item

SETTINGS = "settings.json"


class CachedCases(PersistentDataset):
    """PersistentDataset with atomic writes, which prepares a case again if one of its files has changed.

    It differs from MONAI's class in three points. A file is written atomically, so that an interrupted
    process leaves no partial file. The cache key includes size and time of the source files. `set_data` does
    not empty the cache folder.

    An element holds `image`, `label` and `id`; for evaluation it holds all results of preprocessing, with
    MetaTensors that Invertd can map back.

    Args:
        data: items of a datalist or of MONAI Label.
        transform: `preprocessing(...)` with labels="network" for training, "native" for evaluation.
        augmentation: random transform, applied on every visit; without it whole cases are returned, with a
            float32 image.
        cache_dir: folder of the cache, one sub-folder for each set of settings; None prepares cases on each
            visit.

    Raises:
        ValueError: if `transform` makes no labels, or `augmentation` is used with labels on the native grid.
    """

    def __init__(
        self,
        data: Sequence[Mapping[str, Any]],
        transform: Preprocessing,
        augmentation: Compose | None = None,
        cache_dir: str | Path | None = None,
    ) -> None:
        labels = transform.settings["labels"]
        if labels is None or (labels == "native" and augmentation is not None):
            raise ValueError(f"labels={labels!r}: training needs labels='network', evaluation 'native'")
        self.pack = to_cache if labels == "network" else to_cache_with_affine
        key = sha256(json.dumps(transform.settings, sort_keys=True, default=str).encode()).hexdigest()[:12]
        folder = None if cache_dir is None else Path(cache_dir) / key
        # MONAI's class creates a folder in its constructor; this one creates it with the first case
        super().__init__(data, transform, None, hash_func=hash_case)
        self.cache_dir = folder
        self.augmentation = augmentation
        self.about = json.dumps(transform.settings, indent=1, sort_keys=True, default=str)

    def set_data(self, data: Sequence[Mapping[str, Any]]) -> None:
        """Replaces the list of cases and keeps the cache."""
        self.data = data

    def _cachecheck(self, item: Mapping[str, Any]) -> dict[str, Any]:
        path = None if self.cache_dir is None else self.cache_dir / f"{self.hash_func(item).decode()}.pt"
        cached = None if path is None else load_cached(path)
        if cached is not None:
            return cached
        prepared = self.pack(self.transform(item))
        if path is not None:
            if not path.with_name(SETTINGS).is_file():
                write_text(path.with_name(SETTINGS), self.about)
            with write_atomically(path, sync=False) as temporary:
                torch.save(prepared, temporary)
        return prepared

    def _transform(self, index: int) -> Any:
        try:
            case = dict(self._cachecheck(self.data[index]))
        except RuntimeError as error:
            # without MONAI's wrapping, a worker reports the fault in a few lines
            fault = CaseError.find(error)
            if fault is None:
                raise
            raise fault from None
        if self.augmentation is not None:
            return self.augmentation(case)
        return from_cache(case)


def load_cached(path: Path) -> dict[str, Any] | None:
    """Loads a cached file; an unreadable file is removed.

    Returns:
        Its content, memory-mapped because a crop needs only a few pages of it; None if there is none.
    """
    if not path.is_file():
        return None
    try:
        # cases, no weights: TID251
        return torch.load(path, weights_only=True, mmap=True)  # noqa: TID251
    except (RuntimeError, OSError, EOFError, pickle.UnpicklingError, zipfile.BadZipFile):
        path.unlink(missing_ok=True)
        return None


def hash_case(item: Mapping[str, Any]) -> bytes:
    """Computes the cache key of a case from its item and from size and time of its files."""
    item = complete_item(item, Path.cwd())
    parts = [json.dumps(item, sort_keys=True, default=str)]
    for path in (*item["phases"].values(), *(item[key] for key in MASKS if isinstance(item.get(key), str))):
        if os.path.exists(path):
            status = os.stat(path)
            parts.append(f"{path} {status.st_size} {status.st_mtime_ns}")
    return sha256("\n".join(parts).encode()).hexdigest()[:24].encode()
