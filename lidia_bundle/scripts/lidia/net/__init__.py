"""Network modules of LIDIA: iterative fusion (Eq. 1, 2), encoder, pixel decoder, transformer decoder."""
