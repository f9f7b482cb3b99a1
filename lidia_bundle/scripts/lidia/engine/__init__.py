"""Engines: what happens in a training step, an epoch, an evaluation, and what is written."""

from __future__ import annotations

from scripts.lidia.engine.average import AverageWeights
from scripts.lidia.engine.batch import prepare_batch
from scripts.lidia.engine.calibrating import FitCalibration, read_calibration
from scripts.lidia.engine.checkpoints import LoadState, SaveBest, SaveState, Standing
from scripts.lidia.engine.clipping import ClipGradients
from scripts.lidia.engine.cohort import CohortDataset, CohortError, CohortEvaluator
from scripts.lidia.engine.dicom import WriteDicom
from scripts.lidia.engine.ensemble import Ensemble, ensembled
from scripts.lidia.engine.epochs import Batches, SeedEpochs
from scripts.lidia.engine.incoming import cases
from scripts.lidia.engine.iteration import Iteration
from scripts.lidia.engine.losses import MeanLosses, losses
from scripts.lidia.engine.optimising import warm_up_then_decay, weight_groups
from scripts.lidia.engine.postprocessing import postprocessing
from scripts.lidia.engine.progress import Progress, Validate
from scripts.lidia.engine.results import WriteResults
from scripts.lidia.engine.runtime import runtime
from scripts.lidia.engine.scores import PatientScores, PatientTable
from scripts.lidia.engine.stages import Stages
from scripts.lidia.engine.subsets import ExplainPhases, HidePhases, SubsetScores
from scripts.lidia.engine.weights import LoadWeights, WeightsError, load_weights
from scripts.lidia.engine.windows import WindowInferer

__all__ = [
    "AverageWeights",
    "Batches",
    "ClipGradients",
    "CohortDataset",
    "CohortError",
    "CohortEvaluator",
    "Ensemble",
    "ExplainPhases",
    "FitCalibration",
    "HidePhases",
    "Iteration",
    "LoadState",
    "LoadWeights",
    "MeanLosses",
    "PatientScores",
    "PatientTable",
    "Progress",
    "SaveBest",
    "SaveState",
    "SeedEpochs",
    "Stages",
    "Standing",
    "SubsetScores",
    "Validate",
    "WeightsError",
    "WindowInferer",
    "WriteDicom",
    "WriteResults",
    "cases",
    "ensembled",
    "load_weights",
    "losses",
    "postprocessing",
    "prepare_batch",
    "read_calibration",
    "runtime",
    "warm_up_then_decay",
    "weight_groups",
]
