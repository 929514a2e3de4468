"""The qonnx package, in a process and an environment of its own, for tests that compare with it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

Array = NDArray[Any]
Step = tuple[str, str, Mapping[str, Any]]
"""Module below ``qonnx.transformation``, class, keyword arguments of a transformation."""

PYTHON = Path(sys.prefix).parent / ".venv-qonnx" / "bin" / "python"
"""Beside the environment that runs the tests."""


class QonnxError(Exception):
    """What qonnx raised."""


class QonnxPeer:
    """One running process; a context manager."""

    def __init__(self) -> None:
        if not PYTHON.exists():
            pytest.skip("the qonnx package is not installed (make .venv-qonnx/packages-ready)")
        command = [PYTHON, Path(__file__).with_name("qonnx_process.py")]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def execute(self, model: onnx.ModelProto, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs of ``qonnx.core.onnx_exec.execute_onnx`` by name, all samples of a batch."""
        arrays = {f"in:{name}": array for name, array in inputs.items()}
        result = self._ask("execute", model=_bytes(model), **arrays)
        return {name.removeprefix("out:"): array for name, array in result.items()}

    def transform(self, model: onnx.ModelProto, *steps: Step) -> onnx.ModelProto:
        """A model after qonnx' transformations."""
        full = [(f"qonnx.transformation.{module}", kind, dict(arguments)) for module, kind, arguments in steps]
        result = self._ask("transform", model=_bytes(model), transformations=np.array(json.dumps(full)))
        return onnx.load_model_from_string(result["model"].tobytes())

    def datatypes(self, names: Sequence[str], values: Sequence[float]) -> dict[str, dict[str, Any]]:
        """What qonnx' DataType says of each name, by method; ``allowed`` lists the answer to each value."""
        result = self._ask("datatypes", names=np.array(names), values=np.array(values))
        told: dict[str, dict[str, Any]] = json.loads(str(result["told"]))
        return told

    def _ask(self, kind: str, **arrays: Array) -> dict[str, Array]:
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, kind=np.array(kind), **arrays)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(len(buffer.getvalue()).to_bytes(8, "big") + buffer.getvalue())
        self._process.stdin.flush()
        length = int.from_bytes(self._process.stdout.read(8), "big")
        with np.load(io.BytesIO(self._process.stdout.read(length)), allow_pickle=False) as answer:
            content = dict(answer)
        if "error" in content:
            raise QonnxError(str(content["error"]))
        return content


def _bytes(model: onnx.ModelProto) -> Array:
    return np.frombuffer(model.SerializeToString(), dtype=np.uint8)
