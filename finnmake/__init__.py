"""finnmake: quantised neural networks to streaming-dataflow FPGA accelerators, built as content-hashed actions."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from finnmake.flow.accelerator import Accelerator

__all__ = ["Accelerator", "__version__"]


def __getattr__(name: str) -> object:
    # Imported on demand: `import finnmake` itself must stay cheap, the worker and the null build pay for it.
    if name == "Accelerator":
        # By name: every module of the package imports this one, and none of them depends on flow for that.
        return importlib.import_module("finnmake.flow.accelerator").Accelerator
    raise AttributeError(f"module 'finnmake' has no attribute {name!r}")
