"""Lists the 44 rare looks of `others` (class 9), in the columns of `looks`."""

from __future__ import annotations

from typing import Any

from scripts.lidia.phantom.looks import POOL_NODULE, SOLITARY, Look, Part
from scripts.lidia.vocabulary import OTHERS

ONE = ((1, 1, 1.0),)
FEW = ((1, 1, 0.5), (2, 4, 0.5))
MANY = ((3, 5, 0.5), (6, 9, 0.5))
QUIET = (4.0, 4.0, 4.0, 4.0)


def _rare(
    name: str,
    side: Any,
    parts: Any,
    shape: str = "round",
    diameter: Any = (35, 10, 90),
    number: Any = ONE,
    **more: Any,
) -> Look:
    return Look(name, OTHERS, tuple(parts), shape, diameter, number, side=side, **more)


def _flat(hu: float, sd: float = 5, **more: Any) -> Part:
    return Part("body", (hu, hu, hu + 1, hu + 1), (sd, sd, sd, sd), "fixed", **more)


def _calc(kind: str = "spots", hu: float = 380, **more: Any) -> Part:
    return Part(kind, (hu, hu, hu, hu), (50, 50, 50, 50), "fixed", **more)


_BLOOD = Part("clumps", (72, 73, 73, 73), (5, 5, 5, 5), "fixed", (0.12, 0.3))
_SEPTA = Part("septa", (42, 75, 95, 98), (4, 8, 8, 8), "fixed", (0.16, 0.24))

RARE = (
    _rare("adenoma", "B", (
        Part("body", (45, 95, 104, 104), (5, 11, 7, 6), mottle=4),
        _BLOOD._replace(chance=0.45), Part("clumps", (-25, -20, -15, -20), (10, 10, 10, 10), "fixed",
                                           (0.12, 0.3), chance=0.5),
    ), "smooth", (45, 20, 90), SOLITARY),
    _rare("angiomyolipoma", "B", (
        Part("body", (-40, 5, 10, -10), (18, 20, 20, 18), "fixed", mottle=12),
        Part("clumps", (40, 150, 110, 85), (5, 20, 12, 8), "fixed", (0.15, 0.3)),
    ), "round", (40, 15, 90)),
    _rare("epithelioid_aml", "?", (
        Part("body", (45, 125, 105, 82), (5, 15, 10, 7), mottle=8),
        Part("spots", (45, 250, 160, 110), (4, 25, 12, 6), "fixed", (1.8, 3.0), (4, 8)),
    ), "round", (40, 20, 80)),
    _rare("pyogenic_abscess", "B", (
        Part("halo", (-14, -14, -30, -11), QUIET, "added", (5, 9)),
        _flat(19, 5), Part("rim", (35, 90, 105, 102), (4, 8, 8, 7), size=(3, 5)),
        Part("septa", (35, 85, 100, 100), QUIET, size=(0.14, 0.22)),
        Part("gas", (-700, -700, -700, -700), (80, 80, 80, 80), "fixed", (0.5, 0.75), chance=0.25),
    ), "cluster", (50, 30, 85), FEW),
    _rare("amoebic_abscess", "B", (
        Part("halo", (-14, -12, -25, -10), QUIET, "added", (5, 9)),
        _flat(15, 4), Part("rim", (40, 72, 92, 90), (4, 7, 8, 7), size=(6, 11)),
    ), "smooth", (60, 40, 90)),
    _rare("fungal_abscesses", "B", (
        Part("body", (26, 32, 38, 38), (4, 5, 6, 5)),
        Part("core", (18, 18, 19, 19), QUIET, "fixed", (0.4, 0.5)),
    ), "round", (11, 8, 15), MANY),
    _rare("lymphoma", "M", (Part("body", (42, 55, 68, 64), (4, 5, 6, 5), mottle=1),),
          "geographic", (45, 15, 90), FEW, through=True),
    _rare("ptld", "M", (Part("body", (42, 52, 66, 62), (4, 5, 6, 5), mottle=1),),
          "lobulated", (35, 12, 70), FEW, through=True),
    _rare("hepatoblastoma", "M", (
        Part("body", (42, 80, 84, 70), (5, 13, 10, 8), mottle=12),
        Part("septa", (40, 95, 105, 95), QUIET, size=(0.12, 0.2)),
        _calc("clumps", 350, size=(0.06, 0.14), chance=0.7), _BLOOD._replace(chance=0.5),
    ), "lobulated", (75, 50, 95)),
    _rare("mucinous_cystic", "?", (
        _flat(13, 5), _SEPTA, Part("rim", (40, 70, 90, 95), (4, 7, 7, 7), "fixed", (2.2, 3.5)),
    ), "smooth", (60, 30, 95)),
    _rare("intraductal_papillary", "M", (
        _flat(10, 4), Part("clumps", (38, 70, 82, 75), (5, 9, 9, 8), size=(0.35, 0.5)),
    ), "branching", (45, 25, 70)),
    _rare("inflammatory_pseudotumour", "B", (
        Part("body", (42, 62, 85, 112), (5, 9, 9, 8), mottle=4),
        Part("core", (36, 42, 52, 66), (4, 6, 6, 8), size=(0.4, 0.55)),
    ), "round", (32, 14, 70)),
    _rare("hydatid_cyst", "B", (
        _flat(13, 4), Part("daughters", (3, 3, 3, 3), QUIET, "fixed", (0.2, 0.3), (4, 7)),
        _calc("rim", 380, size=(2.0, 3.2), chance=0.75),
        Part("septa", (32, 32, 33, 33), QUIET, "fixed", (0.12, 0.18)),
    ), "smooth", (60, 35, 95), SOLITARY),
    _rare("alveolar_echinococcosis", "B", (
        Part("body", (35, 36, 38, 40), (6, 6, 6, 6), "fixed", mottle=6),
        _calc("clumps", 250, size=(0.1, 0.2)), Part("core", (12, 12, 13, 13), QUIET, "fixed", (0.3, 0.5)),
    ), "infiltrating", (65, 35, 95)),
    _rare("regenerative_nodules", "B", (Part("body", (78, 82, 108, 92), (5, 6, 6, 5)),),
          "smooth", (12, 8, 15), MANY, home="cirrhotic", liver="cirrhotic"),
    _rare("dysplastic_nodule", "?", (Part("body", (62, 84, 104, 92), (4, 7, 6, 5)),),
          "smooth", (16, 11, 22), SOLITARY, home="cirrhotic", liver="cirrhotic"),
    _rare("focal_fat", "B", (Part("body", (20, 37, 74, 53), (8, 8, 8, 8), mottle=2),),
          "geographic", (32, 15, 50), SOLITARY, through=True),
    _rare("focal_sparing", "B", (Part("body", (60, 80, 120, 95), (4, 6, 7, 6), mottle=1),),
          "geographic", (32, 15, 50), ONE, home="mild_fat", liver="mild_fat", through=True),
    _rare("angiosarcoma", "M", (
        Part("body", (40, 60, 78, 90), (5, 12, 12, 12), mottle=6),
        Part("clumps", (42, 160, 135, 112), (4, 25, 15, 8), "pool", (0.15, 0.3)), _BLOOD,
    ), "infiltrating", (45, 15, 90), FEW),
    _rare("hemangioendothelioma", "M", (
        Part("body", (36, 45, 60, 66), (4, 5, 6, 5)),
        Part("band", (42, 84, 95, 84), (4, 7, 7, 6), size=(3.0, 4.5)),
        Part("core", (26, 31, 40, 52), (4, 4, 5, 6), size=(0.35, 0.5)),
    ), "round", (28, 18, 50), MANY),
    _rare("combined_hcc_icc", "M", (
        Part("body", (46, 108, 96, 74), (5, 12, 9, 6), mottle=6),
        Part("half", (38, 56, 74, 104), (4, 7, 8, 7), mottle=4),
    ), "lobulated", (55, 30, 95)),
    _rare("primary_net", "M", (
        Part("body", (44, 112, 98, 82), (5, 15, 9, 7), mottle=8),
        Part("clumps", (14, 16, 18, 18), QUIET, "fixed", (0.3, 0.42)),
    ), "lobulated", (65, 35, 95)),
    _rare("fibrolamellar", "M", (
        Part("body", (40, 110, 100, 88), (4, 13, 9, 7), mottle=9),
        Part("scar", (36, 40, 45, 55), QUIET, "fixed", (7, 11), (3, 3)),
        _calc("spots", 350, size=(1.6, 3.0), count=(3, 6), chance=0.65),
    ), "lobulated", (80, 55, 95)),
    _rare("embryonal_sarcoma", "M", (
        Part("body", (20, 26, 34, 40), (5, 6, 7, 7), "fixed", mottle=8),
        Part("septa", (40, 70, 88, 95), QUIET, "fixed", (0.12, 0.2)),
        Part("rim", (40, 65, 85, 92), QUIET, "fixed", (2.5, 4.0)),
    ), "lobulated", (80, 60, 95)),
    _rare("sarcoma", "M", (
        Part("body", (38, 62, 76, 88), (6, 10, 10, 9), mottle=12),
        Part("clumps", (20, 21, 23, 24), QUIET, "fixed", (0.2, 0.35)),
    ), "infiltrating", (70, 40, 95)),
    _rare("gallbladder_carcinoma", "M", (
        Part("body", (38, 60, 74, 74), (5, 8, 8, 7), mottle=8),
        _calc("spots", 320, size=(2.0, 3.0), count=(2, 3)),
    ), "gallbladder", (45, 25, 75)),
    _rare("infarction", "B", (Part("body", (36, 38, 45, 46), (5, 5, 5, 5)),), "wedge", (55, 30, 80)),
    _rare("haematoma", "B", (
        _flat(46, 7), Part("layer", (70, 70, 71, 71), (5, 5, 5, 5), "fixed", (-0.2, 0.2)),
    ), "crescent", (60, 35, 90)),
    _rare("ablation_zone", "B", (
        _flat(58, 5), Part("rim", (58, 95, 100, 92), (4, 8, 6, 6), size=(2, 3), chance=0.5),
        Part("track", (60, 60, 61, 61), QUIET, "fixed", (2.5, 3.5)),
    ), "smooth", (40, 28, 55)),
    _rare("lipiodol", "?", (
        Part("body", (60, 62, 64, 64), (8, 8, 8, 8), "fixed"),
        Part("clumps", (750, 750, 750, 750), (150, 150, 150, 150), "fixed", (0.4, 0.6), mottle=120),
    ), "round", (32, 16, 60), SOLITARY),
    _rare("peliosis", "B", (
        Part("body", (46, 62, 100, 108), (5, 8, 9, 7)),
        Part("core", (46, 140, 160, 112), (4, 18, 12, 6), "pool", (0.35, 0.5), fill=(0, 0.7, 1.15, 1.3)),
    ), "round", (26, 14, 42), FEW, through=True),
    _rare("solitary_fibrous", "?", (
        Part("body", (42, 80, 95, 112), (5, 13, 10, 9), mottle=8),
        Part("clumps", (42, 150, 140, 125), (4, 15, 12, 8), size=(0.2, 0.35)),
    ), "lobulated", (80, 60, 95)),
    _rare("leiomyoma", "B", (
        Part("body", (42, 78, 98, 104), (4, 9, 8, 7)),
        Part("shell", (42, 100, 122, 118), (4, 7, 7, 7), size=(2.0, 3.0)),
    ), "smooth", (45, 20, 90)),
    _rare("teratoma", "B", (
        Part("body", (10, 10, 10, 10), (5, 5, 5, 5), "fixed"),
        Part("clumps", (-90, -90, -90, -90), (8, 8, 8, 8), "fixed", (0.25, 0.4)),
        Part("septa", (40, 50, 60, 60), QUIET, "fixed", (0.12, 0.2)),
        _calc("spots", 500, size=(3.0, 5.0), count=(2, 4)),
    ), "round", (65, 40, 95)),
    _rare(
        "lipoma", "B", (Part("body", (-95, -95, -93, -93), (8, 8, 8, 8), "fixed"),), "smooth", (32, 12, 80)
    ),
    _rare("mesenchymal_hamartoma", "B", (
        _flat(12, 4), Part("septa", (42, 70, 88, 92), QUIET, "fixed", (0.26, 0.38)),
    ), "lobulated", (80, 60, 95)),
    _rare("infantile_hemangioma", "B", (
        Part("body", (36, 40, 60, 100), (4, 6, 9, 8)),
        Part("rim", POOL_NODULE, (4, 25, 14, 6), "pool", (5, 8)),
        _calc("spots", 350, size=(1.6, 2.6), count=(3, 6), chance=0.7),
    ), "round", (35, 15, 80), FEW),
    _rare("biliary_hamartomas", "B", (Part("body", (20, 23, 26, 27), (4, 5, 5, 5)),),
          "infiltrating", (10, 8, 14), MANY),
    _rare("biloma", "B", (
        _flat(8, 4), Part("layer", (24, 24, 25, 25), QUIET, "fixed", (-0.5, -0.1)),
    ), "crescent", (50, 30, 85)),
    _rare("confluent_fibrosis", "B", (Part("body", (44, 60, 90, 110), (4, 7, 7, 6), mottle=2),),
          "wedge", (55, 35, 80), ONE, home="cirrhotic", liver="cirrhotic"),
    _rare("perfusion_lesion", "B", (Part("body", (0, 32, 1, 0), (0.5, 6, 1, 0.5), "added"),),
          "wedge", (45, 25, 75), SOLITARY, through=True),
    _rare("tuberculoma", "B", (
        Part("body", (38, 52, 68, 72), (4, 7, 7, 7)),
        _calc("core", 300, size=(0.3, 0.5)),
    ), "round", (15, 10, 22), MANY),
    _rare("schwannoma", "?", (
        Part("body", (38, 105, 108, 110), (5, 16, 11, 9), mottle=8),
        Part("daughters", (14, 14, 15, 15), QUIET, "fixed", (0.25, 0.35), (3, 5)),
    ), "round", (55, 30, 90)),
    _rare("fnh_like_nodules", "B", (Part("body", (57, 112, 132, 114), (4, 11, 7, 6)),),
          "round", (16, 9, 28), MANY),
)  # fmt: skip
"""Looks of class 9; the order is part of the recipe."""
