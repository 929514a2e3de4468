"""ApplyConfig: FINN's name of ApplyFolding."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from finnmake.transformation.apply_folding import ApplyFolding


class ApplyConfig(ApplyFolding):
    """``ApplyFolding`` with the argument that FINN users give: a folding file, or what it holds.

    Args:
        config: path of a JSON file ``{layer name: {attribute: value}}``, or the mapping itself.

    Precondition, postcondition: as ``ApplyFolding``. Unlike FINN's, a name that is no layer is an error.

    Raises:
        FoldingError: a name that is no layer, an attribute that the layer does not have, a value that is not legal.
    """

    def __init__(self, config: str | os.PathLike[str] | Mapping[str, Mapping[str, Any]]) -> None:
        if isinstance(config, Mapping):
            super().__init__(config)
        else:
            super().__init__(file=os.fspath(config))
