"""Computes the phantom's fingerprint, a hash of the tables and code that define the images.

It reads the sources as syntax, without comments, docstrings, imports and annotations, so that only what can
change an image changes the fingerprint.
"""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path

EXCLUDED_FILES = (
    "__init__.py",
    "cohorts.py",
    "write_cohort.py",
    "fingerprint.py",
    "lesion_course.py",
    "time_points.py",
    "time_point_truth.py",
    "write_time_points.py",
)
"""Files that do not define the images of a cohort with one time point."""
RECIPE_HASH = "049a27003d17b25e"
"""Hash of the frozen recipe; results made with another hash are not comparable."""


class _CodeOnly(ast.NodeTransformer):
    """Removes imports, string statements and annotations, and keeps executed code."""

    def visit_Import(self, node: ast.Import) -> None:  # noqa: N802, B906
        return None

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:  # noqa: N802, B906
        return None

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:  # noqa: N802
        text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return ast.Pass() if text else self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.arg:  # noqa: B906
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:  # noqa: N802
        node.returns = None
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:  # noqa: N802
        if node.value is None:
            return ast.Pass()
        return ast.Assign([node.target], self.visit(node.value), lineno=0)


def recipe_hash() -> str:
    """Computes the SHA-256 (first 16 digits) of the sources that define the images."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if path.name not in EXCLUDED_FILES:
            tree = _CodeOnly().visit(ast.parse(path.read_text(encoding="utf-8")))
            lines = [line for line in ast.unparse(tree).splitlines() if line.strip() != "pass"]
            digest.update("\n".join([path.name, *lines, ""]).encode())
    return digest.hexdigest()[:16]
