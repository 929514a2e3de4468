"""finnmake: quantised neural networks to streaming-dataflow FPGA accelerators, built as content-hashed actions."""

from __future__ import annotations

__version__ = "0.1.0"

# Not imported from typing: that takes longer than all else that a build with nothing to do imports.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from finnmake.flow.accelerator import Accelerator
    from finnmake.flow.transformations import Transformations

__all__ = ["Accelerator", "Transformations", "__version__"]


def __getattr__(name: str) -> object:
    # Imported on demand: `import finnmake` itself must stay cheap, the worker and the null build pay for it.
    module = {"Accelerator": "accelerator", "Transformations": "transformations"}.get(name)
    if module is not None:
        import importlib

        # By name: every module of the package imports this one, and none of them depends on flow for that.
        return getattr(importlib.import_module(f"finnmake.flow.{module}"), name)
    raise AttributeError(f"module 'finnmake' has no attribute {name!r}")
