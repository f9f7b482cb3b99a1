"""Losses of LIDIA: matching, L_seg, L_focal, L_acl (Eq. 3-5) with its memory bank, and their sum (Eq. 6)."""
