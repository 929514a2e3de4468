"""Front ends: from what exporters write to one annotated graph."""

from finnmake.frontend.canonical import canonicalise, canonicalise_file
from finnmake.frontend.from_pytorch import from_pytorch
from finnmake.frontend.import_model import import_model

__all__ = ["canonicalise", "canonicalise_file", "from_pytorch", "import_model"]
