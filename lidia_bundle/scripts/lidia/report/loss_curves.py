"""Read the training losses from TensorBoard's event files."""

from __future__ import annotations

from pathlib import Path

from scripts.lidia.input_folders import find_paths

LOSS_TITLES = {
    "loss": "all losses together (Eq. 6 and the semantic loss)",
    "semantic": "semantic loss",
    "seg": "L_seg, masks of the queries",
    "focal": "L_focal, classes of the queries",
}
"""Scalar in the log -> title of its chart."""

Points = list[tuple[float, float]]


def read_loss_curves(folder: str | Path) -> dict[str, Points]:
    """Read (step, value) of the logged losses, with increasing step.

    Epoch means share a tag with the steps but count epochs: events whose step does not increase are left out.
    A resumed run replaces what the first run logged after the checkpoint.

    Args:
        folder: the output folder of a training; event files may be in subfolders.

    Returns:
        Points by scalar, in the order of LOSS_TITLES; scalars without events are left out.
    """
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    curves: dict[str, Points] = {name: [] for name in LOSS_TITLES}
    files = sorted(find_paths(folder, "events.out.tfevents.*"), key=lambda path: path.stat().st_mtime)
    for file in files:
        events = EventAccumulator(str(file), size_guidance={"scalars": 0})
        events.Reload()
        for name in set(events.Tags()["scalars"]) & set(curves):
            fresh: Points = []
            for event in events.Scalars(name):
                if not fresh or event.step > fresh[-1][0]:
                    fresh.append((float(event.step), float(event.value)))
            curves[name] = [point for point in curves[name] if point[0] < fresh[0][0]] + fresh
    return {name: points for name, points in curves.items() if points}
