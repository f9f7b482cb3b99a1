"""Namespace shared with other bundles: each calls its code `scripts`, so the path is extended, not owned."""

from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)
