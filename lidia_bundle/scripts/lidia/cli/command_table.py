"""Lists the commands of `lidia`: one row for each, over one config of the bundle."""

from __future__ import annotations

from typing import NamedTuple

from scripts.lidia.cli.job_input import ReadInput, read_dataset, take_folder, take_folders, take_new_path
from scripts.lidia.cli.prediction_input import ACCEPTED, SOURCE_OPTIONS, read_prediction_input


class Command(NamedTuple):
    """A command that runs a config."""

    name: str
    summary: str
    """What it does, in one line."""
    config: str
    """File in `configs/`."""
    input_name: str
    """Name of the input in the usage line."""
    input_help: str
    """What the input may be."""
    read_input: ReadInput
    input_options: tuple[str, ...]
    """Options that name the input instead."""
    examples: tuple[str, ...]
    run_id: str | None = None
    """Run of the config; None for `run`."""
    output_option: str = "output_dir"
    """Option that `-o` stands for."""
    needs_input: bool = False
    """Whether the command stops without an input; otherwise the config's default counts."""


DATASET = "folder of a data set with dataset.json, or the JSON file of a datalist"
SETS = ("dataset_dir", "datalist")

COMMANDS = {
    command.name: command
    for command in (
        Command(
            "predict",
            "find the liver lesions of one patient or of a cohort",
            "inference.json",
            "STUDY_OR_FILES",
            f"{ACCEPTED}. Several NIfTI files are phases of one patient, by their names.",
            read_prediction_input,
            SOURCE_OPTIONS,
            (
                "lidia predict STUDY -o results",
                "lidia predict STUDY.zip -o results --deidentify",
                "lidia predict p1_arterial.nii.gz p1_venous.nii.gz -o results",
                "lidia predict --venous p1.nii.gz --nc p2.nii.gz -o results --register greedy",
                "lidia predict data/dataset.json --section test -o results",
                "lidia predict data -o results --rank 0 --world_size 8 --skip_existing",
            ),
            run_id="evaluating",
            needs_input=True,
        ),
        Command(
            "train",
            "train the network on a data set; repeat the command to resume",
            "train.json",
            "DATA",
            DATASET,
            read_dataset,
            SETS,
            (
                "lidia train data -o runs/mine",
                "lidia train data -o runs/tuned --config_file overlays/recipes/finetune.yaml",
            ),
            run_id="training",
        ),
        Command(
            "evaluate",
            "compute the metrics of the network on labelled patients",
            "evaluate.json",
            "DATA",
            DATASET,
            read_dataset,
            SETS,
            ("lidia evaluate data -o runs/evaluation --model_file runs/mine/model.pt",),
            run_id="evaluating",
        ),
        Command(
            "check",
            "check a data set without running anything on it",
            "check.json",
            "DATA",
            DATASET,
            read_dataset,
            SETS,
            ("lidia check data -o runs/check",),
        ),
        Command(
            "prepare",
            "convert data sets, nnU-Net folders and DICOM archives; make folds and liver masks",
            "prepare.json",
            "FOLDER",
            "folder to read; --source names its kind",
            take_folder("input_dir"),
            ("input_dir",),
            (
                "lidia prepare archive -o data --source dicom",
                "lidia prepare data -o data --source folds --folds 5",
            ),
            output_option="dataset_dir",
        ),
        Command(
            "phantom",
            "write a cohort of synthetic patients",
            "phantom.json",
            "FOLDER",
            "folder to write; it may be new",
            take_new_path("dataset_dir"),
            ("dataset_dir",),
            ("lidia phantom data --cases 24 --seed 1",),
            output_option="dataset_dir",
        ),
        Command(
            "report",
            "write one page about the results of predict, with pictures and metrics",
            "report.json",
            "RESULTS",
            "folder with the results of predict",
            take_folder("results_dir"),
            ("results_dir",),
            ("lidia report results -o page --dataset_dir data",),
            needs_input=True,
        ),
        Command(
            "tables",
            "write the results of predict as tables (CSV), of one run or of all parts of a divided run",
            "tables.json",
            "RESULTS",
            "folder with the results of predict, or several folders",
            take_folders("results"),
            ("results",),
            (
                "lidia tables results -o tables --dataset_dir data",
                "lidia tables results/part0 results/part1 -o tables",
            ),
            needs_input=True,
        ),
        Command(
            "follow",
            "compare the results of a patient from two or more dates",
            "follow.json",
            "RESULTS",
            "folder with the results of predict for all dates",
            take_folder("results_dir"),
            ("results_dir", "results"),
            (
                "lidia follow results -o follow --dataset_dir data",
                "lidia follow --results \"['2024/P1.json','2025/P1.json']\" -o follow",
            ),
            needs_input=True,
        ),
        Command(
            "export",
            "write the network with its weights to one file, TorchScript or ONNX",
            "export.json",
            "FILE",
            "file to write, with the extension .ts (TorchScript) or .onnx",
            take_new_path("output"),
            ("output",),
            (
                "lidia export -o lidia.ts",
                "lidia export -o mine.onnx --model_file runs/mine/model.pt",
            ),
            output_option="output",
        ),
    )
}
"""Commands by name."""
