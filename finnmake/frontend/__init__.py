"""Front ends: from what exporters write to one annotated graph."""

from finnmake.frontend.canonical import canonicalise
from finnmake.frontend.import_model import import_model

__all__ = ["canonicalise", "import_model"]
