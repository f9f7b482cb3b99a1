"""Other people's data to our lists and back: nnU-Net's folders, public data sets, folds."""

from __future__ import annotations

from scripts.lidia.prepare.command import prepare

__all__ = ["prepare"]
