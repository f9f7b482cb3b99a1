"""The network: iterative fusion (Eq. 1, 2), encoder, feature pyramid, mask transformer."""
