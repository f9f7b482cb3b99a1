"""The network: iterative fusion (Eq. 1, 2), encoder, feature pyramid, mask transformer."""

from scripts.lidia.net.lidia import LIDIA

__all__ = ["LIDIA"]
