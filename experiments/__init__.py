"""The evidence behind the published figures: the study and the benchmark. Not part of the released bundle."""
