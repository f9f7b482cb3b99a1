"""A MONAI Label server for radiologists: `monailabel start_server --app` this folder (see docs/label.md)."""
