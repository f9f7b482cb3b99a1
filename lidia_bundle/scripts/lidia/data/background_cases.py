"""Training cases made from unlabelled CT: lesions are implanted on the fly into prepared backgrounds."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, Randomizable
from numpy.typing import NDArray
from torch.utils.data import Dataset
from tqdm import tqdm

from scripts.lidia.atomic import write_atomically
from scripts.lidia.data.cache import hash_case, load_cached
from scripts.lidia.data.implanted_source import ImplantedSource
from scripts.lidia.data.lesion_crop import find_crop_centres
from scripts.lidia.data.read_background import read_background, read_ignored
from scripts.lidia.geometry.grid import Grid
from scripts.lidia.geometry.resample import resample
from scripts.lidia.implant.anatomy import measure_anatomy
from scripts.lidia.implant.background import Background
from scripts.lidia.implant.implant_case import draw_implant
from scripts.lidia.implant.lesion_patches import halve_implant, pack_implant
from scripts.lidia.implant.packed_maps import halve_maps, pack_maps
from scripts.lidia.phantom.fingerprint import recipe_hash
from scripts.lidia.vocabulary import IGNORED, LIVER, PHASES

FORMAT = 1
"""Part of the cache key; increase it when equal settings give other maps or implants."""


class BackgroundCases(Randomizable, Dataset):
    """Crops of backgrounds with implanted lesions, in the form of the crops of `CachedCases`.

    A background is measured once, on the network's grid, and `implants_per_background` patients are drawn
    for it; both are cached. A visit composes a crop of one of these patients: phases that were scanned stay
    as they are, the others are made from them.

    Args:
        data: backgrounds: items of a datalist with `phases` on one grid, `liver`, and optionally `ignored`
            (mask of lesions that the patient has).
        spacing: mm of the network's grid along R, A, S.
        window: HU that become -1 and 1.
        augmentation: random transform from a case to crops; its first step is a `CropLesions`.
        cache_dir: folder of the cache; None measures the backgrounds in each run.
        implants_per_background: number of patients drawn for each background.
        small_lesions_prob: share of these patients whose lesions are all small (4 to 12 mm).
        no_lesion_prob: share of visits without any lesion.
        scanned_only_prob: share of visits that show the scanned phases alone.
        random_subset_prob: of the other visits, the share that shows a random subset of the phases.
        cohort: `internal` or `external`: types and number of lesions and the contrast timing.
        seed: of the patients; patient i of a background depends only on it, seed and cohort.
    """

    def __init__(
        self,
        data: Sequence[Mapping[str, Any]],
        augmentation: Compose,
        *,
        spacing: Sequence[float] = (1.5, 1.5, 2.5),
        window: Sequence[float] = (-200.0, 400.0),
        cache_dir: str | os.PathLike[str] | None = None,
        implants_per_background: int = 40,
        small_lesions_prob: float = 0.3,
        no_lesion_prob: float = 0.15,
        scanned_only_prob: float = 0.3,
        random_subset_prob: float = 0.5,
        cohort: str = "internal",
        seed: int = 0,
    ) -> None:
        self.data, self.augmentation = data, augmentation
        self.spacing = (float(spacing[0]), float(spacing[1]), float(spacing[2]))
        self.window = (float(window[0]), float(window[1]))
        self.implants_per_background = implants_per_background
        self.small_lesions_prob = small_lesions_prob
        self.no_lesion_prob, self.scanned_only_prob = no_lesion_prob, scanned_only_prob
        self.random_subset_prob = random_subset_prob
        self.cohort, self.seed = cohort, seed
        settings = {"spacing": self.spacing, "cohort": cohort, "seed": seed, "recipe": recipe_hash()}
        settings |= {"small_lesions_prob": small_lesions_prob, "format": FORMAT}
        key = sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]
        self.cache_dir = None if cache_dir is None else Path(cache_dir) / f"backgrounds_{key}"
        self._prepared: dict[int, dict[str, Any]] = {}

    def __len__(self) -> int:
        return len(self.data) * self.implants_per_background

    def set_random_state(self, seed: int | None = None, state: np.random.RandomState | None = None) -> Self:
        """Seeds the visits and their augmentation."""
        super().set_random_state(seed, state)
        self.augmentation.set_random_state(seed, state)
        return self

    def __getitem__(self, index: int) -> Any:
        """Returns the crops of one visit: patient `index // len(data)` of background `index % len(data)`."""
        number, background = divmod(int(index), len(self.data))
        case = self.load_background(background)
        implant, halved_implant = case["implants"][number]
        centres, halved_centres = (marks.numpy() for marks in case["centres"])
        source = ImplantedSource(
            case["maps"],
            implant,
            centres,
            (case["halved_maps"], halved_implant, halved_centres),
            self.window,
            self.choose_phases(tuple(case["maps"]["scans"])),
            with_lesions=self.R.random_sample() >= self.no_lesion_prob,
        )
        return self.augmentation({"source": source, "id": f"{case['id']}_{number:04d}"})

    def choose_phases(self, scanned: tuple[str, ...]) -> tuple[str, ...]:
        """Draws the phases of a visit; phases that are not shown need not be made."""
        if self.R.random_sample() < self.scanned_only_prob:
            return scanned
        if self.R.random_sample() >= self.random_subset_prob:
            return PHASES
        bits = self.R.randint(1, 2 ** len(PHASES))
        return tuple(phase for number, phase in enumerate(PHASES) if bits >> number & 1)

    def prepare(self) -> None:
        """Measures all backgrounds and draws all their patients, with a progress bar."""
        for index in tqdm(range(len(self.data)), desc="backgrounds", unit="scan"):
            self.load_background(index)

    def load_background(self, index: int) -> dict[str, Any]:
        """Loads one prepared background from memory or the cache, or prepares it.

        Returns:
            `id`, `maps`, `halved_maps`, `centres` (at both resolutions), and `implants`: pairs at both
            resolutions.
        """
        if index not in self._prepared:
            item = self.data[index]
            if self.cache_dir is None:
                self._prepared[index] = self._prepare_background(item)
                return self._prepared[index]
            path = self.cache_dir / f"{hash_case(item).decode()}_{self.implants_per_background}.pt"
            cached = load_cached(path)
            if cached is None:
                path.parent.mkdir(parents=True, exist_ok=True)
                cached = self._prepare_background(item)
                with write_atomically(path, sync=False) as temporary:
                    torch.save(cached, temporary)
            self._prepared[index] = cached
        return self._prepared[index]

    def _prepare_background(self, item: Mapping[str, Any]) -> dict[str, Any]:
        background, ignored = read_on_grid(item, self.spacing)
        anatomy = measure_anatomy(background)
        anatomy = anatomy._replace(large=anatomy.large | ignored)
        maps = pack_maps(anatomy.maps, background.liver, ignored)
        halved = halve_maps(maps)
        implants = []
        numbers = range(self.implants_per_background)
        for number in tqdm(numbers, desc=f"lesions for {background.name}", unit="patient", leave=False):
            packed = pack_implant(
                anatomy,
                draw_implant(
                    anatomy, self.seed, number, self.cohort, small_lesions_prob=self.small_lesions_prob
                ),
            )
            implants.append((packed, halve_implant(packed)))
        return {
            "id": background.name,
            "maps": maps,
            "halved_maps": halved,
            "centres": (_find_tissue_centres(maps), _find_tissue_centres(halved)),
            "implants": implants,
        }


def read_on_grid(
    item: Mapping[str, Any], spacing: tuple[float, float, float]
) -> tuple[Background, NDArray[np.bool_]]:
    """Reads a background and resamples it to the network's grid.

    Args:
        item: item of a datalist with `phases`, `liver` and optionally `ignored`.
        spacing: mm along R, A, S.

    Returns:
        The background, and the mask (X, Y, Z) of lesions that the patient has.

    Raises:
        CaseError: see `read_background`.
    """
    source = read_background(item["id"], item["phases"], item["liver"])
    ignored = read_ignored(item, source)
    affine = np.diag([*source.spacing, 1.0])
    shape = tuple(
        max(1, round(n * step / target))
        for n, step, target in zip(source.liver.shape, source.spacing, spacing, strict=True)
    )
    target = np.diag([*spacing, 1.0])
    # the first voxels of both grids begin at the same place
    target[:3, 3] = (np.asarray(spacing) - source.spacing) / 2
    grid = Grid(target, shape)

    def to_grid(volume: NDArray) -> NDArray[np.float32]:
        values = torch.as_tensor(volume, dtype=torch.float32)[None]
        tensor = MetaTensor(values, affine=torch.as_tensor(affine))
        return resample(tensor, grid, antialias=True, outside=None)[0].numpy()

    phases = {phase: to_grid(hu) for phase, hu in source.phases.items()}
    liver = to_grid(source.liver) > 0.5
    background = Background(source.name, phases, liver, spacing, target, source.turn)
    return background, to_grid(ignored) > 0.5


def _find_tissue_centres(maps: Mapping[str, Any]) -> torch.Tensor:
    """Samples voxels of liver and of the rest of the body, see `find_crop_centres`."""
    label = torch.zeros((2, *maps["liver"].shape), dtype=torch.int16)
    label[0][maps["liver"] > 127] = LIVER
    body = maps["shares"].amax(0) > 0
    label[0][(~body & (label[0] == 0)) | maps["ignored"]] = IGNORED
    return find_crop_centres(label)
