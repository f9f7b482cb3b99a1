"""Phase identification: which series of a study is which contrast phase."""
