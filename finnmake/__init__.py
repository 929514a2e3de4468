"""finnmake: quantised neural networks to streaming-dataflow FPGA accelerators, built as content-hashed actions."""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from finnmake.flow.accelerator import Accelerator

__all__ = ["Accelerator", "__version__"]


def __getattr__(name: str) -> object:
    # Imported on demand: `import finnmake` itself must stay cheap, the worker and the null build pay for it.
    if name == "Accelerator":
        from finnmake.flow.accelerator import Accelerator

        return Accelerator
    raise AttributeError(f"module 'finnmake' has no attribute {name!r}")
