"""Other people's data to our lists and back: nnU-Net's folders, public data sets, folds."""
