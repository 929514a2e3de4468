"""Front ends: from what exporters write to one annotated graph."""

from finnmake.frontend.canonical import canonicalise, canonicalise_file
from finnmake.frontend.import_model import import_model

__all__ = ["canonicalise", "canonicalise_file", "import_model"]
