"""Numbers of the paper (LIDIA, Tables 1 to 3), on its own patients."""

from __future__ import annotations

from scripts.lidia.vocabulary import LESION_TYPES

TABLE_1 = ("auc8", "auc2", "precision", "sensitivity", "accuracy", "dice")
TYPES = (*(f"auc_{name}" for name in LESION_TYPES), "auc8")
COLUMNS = {1: TABLE_1, 2: TYPES, 3: TYPES}
"""Metrics of a table, in its order."""
ROWS: dict[int, dict[str, tuple[float, ...]]] = {
    1: {
        "nn-UNet": (0.822, 0.915, 0.909, 0.854, 0.8575, 0.873),
        "Mask2Former": (0.841, 0.895, 0.832, 0.861, 0.8658, 0.875),
        "PLAN": (0.905, 0.878, 0.907, 0.886, 0.8699, 0.869),
        "LIDIA": (0.936, 0.946, 0.886, 0.866, 0.8812, 0.869),
    },
    2: {
        "Baseline nnU-Net": (0.907, 0.728, 0.884, 0.973, 0.866, 0.955, 0.500, 0.762, 0.822),
        "HEMIS": (0.900, 0.749, 0.899, 0.945, 0.832, 0.948, 0.500, 0.808, 0.823),
        "ConvLSTM": (0.890, 0.715, 0.890, 0.972, 0.900, 0.935, 0.500, 0.781, 0.823),
        "IFM": (0.913, 0.757, 0.899, 0.961, 0.902, 0.956, 0.500, 0.815, 0.838),
    },
    3: {
        "Baseline": (0.861, 0.711, 0.857, 0.935, 0.797, 0.880, 0.790, 0.753, 0.823),
        "+Focal Loss": (0.880, 0.696, 0.882, 0.909, 0.799, 0.926, 0.897, 0.736, 0.841),
        "+LiverMax": (0.934, 0.853, 0.947, 0.974, 0.968, 0.942, 0.912, 0.826, 0.919),
        "+IFM": (0.941, 0.846, 0.940, 0.975, 0.953, 0.943, 0.958, 0.846, 0.925),
        "+ACL": (0.954, 0.845, 0.948, 0.973, 0.966, 0.946, 0.937, 0.856, 0.928),
        "+SAM(LIDIA)": (0.951, 0.850, 0.951, 0.979, 0.970, 0.948, 0.963, 0.874, 0.936),
    },
}
"""By table and row, in the order of the table's columns."""


def get_printed_row(table: int, row: str | None) -> dict[str, float]:
    """Return a row of the paper by metric; empty if `row` is None.

    Raises:
        ValueError: the paper has the table, but not this row.
    """
    if row is None:
        return {}
    if row not in ROWS.get(table, {}):
        names = ", ".join(ROWS.get(table, {})) or "none"
        raise ValueError(f"The paper's Table {table} has no row '{row}'; its rows are {names}.")
    return dict(zip(COLUMNS[table], ROWS[table][row], strict=True))
