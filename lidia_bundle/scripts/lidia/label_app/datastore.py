"""Makes MONAI Label's folder datastore safe: atomic writes of its list, and no files outside its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import HTTPException

from scripts.lidia.atomic import write_text


def write_list_atomically(store: Any) -> None:
    """Makes a datastore write its list atomically; MONAI Label writes in place and may leave half a file."""

    def write(lock: bool = True) -> None:
        path = Path(store._datastore_config_path)
        write_text(path, store._datastore.model_dump_json(exclude={"base_path"}, indent=2))
        store._config_ts = path.stat().st_mtime

    store._update_datastore_file = write
    if hasattr(store, "_handler"):  # other processes of the server write the list too
        store._handler.on_moved = lambda event: store._init_from_datastore_file()


def return_cached_files(store: Any) -> None:
    """Makes a DICOMweb datastore return its cached volume; MONAI Label returns a temporary file at first."""
    get_image_uri = store.get_image_uri

    def get(image_id: str) -> str:
        file = get_image_uri(image_id)
        cached = Path(store._datastore.image_path()).resolve() / f"{image_id}.nii.gz"
        return str(cached) if cached.is_file() else file

    store.get_image_uri = get


def confine_to_folder(store: Any) -> None:
    """Restricts writes and removals of a datastore to its folder; MONAI Label follows any name and link."""
    add_image, save_label = store.add_image, store.save_label
    remove_image, remove_label = store.remove_image, store.remove_label

    def add(image_id: str, image_filename: str, image_info: dict[str, Any]) -> str:
        _refuse_link(store.get_image_uri(image_id) if image_id in store._datastore.objects else "")
        return add_image(_check_file_name(image_id), image_filename, image_info)

    def save(image_id: str, label_filename: str, label_tag: str, label_info: dict[str, Any]) -> str:
        _refuse_link(store.get_label_uri(image_id, _check_file_name(label_tag)))
        return save_label(image_id, label_filename, label_tag, label_info)

    def drop_image(image_id: str) -> None:
        _refuse_link(store.get_image_uri(image_id))
        for tag in store.get_labels_by_image_id(image_id):
            _refuse_link(store.get_label_uri(image_id, tag))
        remove_image(image_id)

    def drop_label(label_id: str, label_tag: str) -> None:
        _refuse_link(store.get_label_uri(label_id, label_tag))
        remove_label(label_id, label_tag)

    def _refuse_link(path: str) -> None:
        """Refuses to change the target of a link.

        Raises:
            HTTPException: the file lies outside the folder.
        """
        if path and not Path(path).is_relative_to(Path(store._datastore_path).resolve()):
            words = "is a link to a file outside the study, which stays as it is: change it on the server"
            raise HTTPException(422, f"{Path(path).name} {words}")

    store.add_image, store.save_label = add, save
    store.remove_image, store.remove_label = drop_image, drop_label


def _check_file_name(name: str) -> str:
    if not name or name.startswith(".") or set(name) & set("/\\\0"):
        raise HTTPException(422, f"{name!r} cannot be a file's name: leave out slashes and leading dots")
    return name
