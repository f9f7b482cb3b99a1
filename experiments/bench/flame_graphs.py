"""Profile one patient and one training epoch: a page of pyinstrument and a file for speedscope.app of each.

The profiler looks at the main thread's stack every few milliseconds. Time in native code (convolutions,
resampling, zip) counts for the Python call behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pyinstrument import Profiler
from pyinstrument.renderers import SpeedscopeRenderer

from experiments.bench.bench_cohorts import write_clinical_patient, write_phantoms
from experiments.bench.loading import prepare_training_loop
from experiments.bench.paired_timing import BenchContext
from experiments.bench.patient_timing import prepare_lidia
from scripts.lidia.atomic import write_text


def write_profile(run: Callable[[], Any], folder: Path, name: str) -> Path:
    """Profile a call and write `flame_NAME.html` and, for speedscope, `flame_NAME.json`.

    Args:
        run: call to profile.
        folder: output folder.
        name: of the files.

    Returns:
        The page.
    """
    with Profiler(interval=0.005, async_mode="disabled") as profiler:
        run()
    page = folder / f"flame_{name}.html"
    write_text(page, profiler.output_html())
    write_text(page.with_suffix(".json"), profiler.output(SpeedscopeRenderer()))
    return page


def draw_flames(
    *, rows: Mapping[str, Mapping[str, Any]], output_dir: str, bundle_root: str, threads: int | None = None
) -> list[Path]:
    """Profile the patient of row `patient` and an epoch of row `data`.

    Args:
        rows: as in `run_bench`.
        output_dir: folder of the phantoms and the profiles.
        bundle_root: the bundle.
        threads: of this process; None is one a core.

    Returns:
        The pages.
    """
    context = BenchContext(
        Path(bundle_root).absolute(), Path(output_dir).absolute(), threads or 1, inline=True
    )
    size = {key: rows["patient"][key] for key in ("spacing", "fov", "looks")}
    phases = write_clinical_patient(context, **size).phases
    folder = write_phantoms(context, cases=rows["data"]["cases"], spacing=rows["data"]["spacing"])
    data, bundle = context.output / "data", str(context.bundle)
    loop: dict[str, Any] = {"cache": str(data / "cache"), "output": str(data / "training")}
    loop |= {key: rows["data"][key] for key in ("steps", "crop")}
    runs = {
        "patient": prepare_lidia(bundle=bundle, phases=phases, output=str(data / "results" / "flame")),
        "epoch": prepare_training_loop(bundle=bundle, dataset=str(folder), **loop),
    }
    pages = []
    for name, run in runs.items():
        run()  # what is loaded or prepared once does not count
        pages.append(write_profile(run, context.output, name))
    return pages
