"""Execution of models and cores: onnxruntime with NumPy, C++ simulation, RTL simulation.

``execute`` runs any graph, ``simulations`` keeps compiled cores, and the transformations ``PrepareCppSim``,
``CompileCppSim`` and ``PrepareRTLSim`` compile them for a user's script.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from finnmake.runtime.compile_cpp_sim import CompileCppSim as CompileCppSim
    from finnmake.runtime.execute import Executor as Executor
    from finnmake.runtime.execute import execute_onnx as execute_onnx
    from finnmake.runtime.prepare_cpp_sim import PrepareCppSim as PrepareCppSim
    from finnmake.runtime.prepare_rtl_sim import PrepareRTLSim as PrepareRTLSim

_MODULES = {
    "CompileCppSim": "compile_cpp_sim",
    "Executor": "execute",
    "PrepareCppSim": "prepare_cpp_sim",
    "PrepareRTLSim": "prepare_rtl_sim",
    "execute_onnx": "execute",
}


def __getattr__(name: str) -> object:
    # On demand: onnxruntime is loaded by those who execute.
    if name in _MODULES:
        return getattr(importlib.import_module(f"finnmake.runtime.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'finnmake.runtime' has no attribute {name!r}")
