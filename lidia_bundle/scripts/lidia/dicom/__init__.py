"""DICOM: studies, series and slices are read; SEG and SR are written."""
