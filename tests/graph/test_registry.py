"""Custom ops of other packages: found when installed, used everywhere, and blamed by name when broken."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from finnmake.errors import ModelError
from finnmake.graph import registry
from finnmake.graph.custom_op import Array, CustomOp
from finnmake.graph.entry_points import CustomOpEntry, custom_op_entries
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.graph.registry import REGISTERED_OPS, installed_ops
from finnmake.runtime.execute import execute_onnx
from tests.support.nodes import run_node
from tests.support.qonnx_models import GraphBuilder

OPS = """
from finnmake.graph.custom_op import CustomOp

class Twice(CustomOp):
    def execute(self, node, inputs):
        return [inputs[0] * 2]

OPS = {("my.domain", "Twice"): Twice()}
"""
USE = """
import numpy as np
from onnx import TensorProto, helper
from finnmake.graph.entry_points import custom_op_entries
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.runtime.execute import execute_onnx

values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3]) for name in "xy"]
node = helper.make_node("Twice", ["x"], ["y"], domain="my.domain")
model = ModelWrapper(helper.make_model(helper.make_graph([node], "g", values[:1], values[1:])))
print([(entry.package, entry.module) for entry in custom_op_entries()])
print(execute_onnx(model, {"x": np.ones((2, 3), np.float32)})["y"].tolist())
"""


def install(folder: Path, code: str, entry: str = "ops = my_ops:OPS") -> None:
    """What pip leaves of a package: its module, its metadata."""
    (folder / "my_ops.py").write_text(code)
    metadata = folder / "my_package-1.5.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.5\n")
    (metadata / "entry_points.txt").write_text(f"[finnmake.custom_ops]\n{entry}\n")


def use(folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs a model with the op in a process that sees the folder."""
    root = str(Path(__file__).parents[2])
    code = f"import sys; sys.path[:0] = [{str(folder)!r}, {root!r}]\n{USE}"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("entry", ["ops = my_ops:OPS", "my.domain.Twice = my_ops:Twice"])
def test_an_installed_package_brings_its_ops(entry: str, tmp_path: Path) -> None:
    install(tmp_path, OPS, entry)
    result = use(tmp_path)
    assert "('my-package', 'my_ops')" in result.stdout, result.stderr
    assert "[[2.0, 2.0, 2.0], [2.0, 2.0, 2.0]]" in result.stdout


def test_the_list_of_packages_imports_no_onnx() -> None:
    root = str(Path(__file__).parents[2])
    code = f"import sys; sys.path.insert(0, {root!r}); import finnmake.graph.entry_points; print('onnx' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "False\n"
    assert custom_op_entries() == sorted(custom_op_entries())


def loaded(monkeypatch: pytest.MonkeyPatch, *entries: CustomOpEntry) -> registry.Ops:
    monkeypatch.setattr(registry, "custom_op_entries", lambda: list(entries))
    return installed_ops.__wrapped__()


def entry(value: str, name: str = "ops") -> CustomOpEntry:
    return CustomOpEntry("my-package", "1.5", name, value)


class Own(CustomOp):
    def execute(self, node: object, inputs: object) -> list[Array]:
        return [np.zeros(1, dtype=np.float32)]


OWN = {("my.domain", "Own"): Own()}
TAKEN = {("qonnx.custom_op.general", "Quant"): Own()}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("no_such_module:OPS", "cannot be loaded: No module named 'no_such_module'"),
        (f"{__name__}:NOTHING", "cannot be loaded"),
        ("math:pi", "is no mapping"),
        ("os:environ", "is no mapping"),
    ],
)
def test_a_broken_package_is_named(value: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match=rf"package my-package 1\.5.*{reason}"):
        loaded(monkeypatch, entry(value))


def test_no_package_replaces_an_op_of_qonnx_or_of_another_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "my_test_ops", sys.modules[__name__])
    assert list(loaded(monkeypatch, entry("my_test_ops:OWN"))) == [("my.domain", "Own")]
    with pytest.raises(ModelError, match=r"Quant, whose place is taken by ONNX or QONNX"):
        loaded(monkeypatch, entry("my_test_ops:TAKEN"))
    with pytest.raises(ModelError, match=r"Own, whose place is taken by my-package"):
        loaded(monkeypatch, entry("my_test_ops:OWN"), entry("my_test_ops:Own", "my.domain.Own"))


def test_an_op_given_directly_needs_no_package() -> None:
    ops = REGISTERED_OPS.extended(OWN)
    assert ("my.domain", "Own") in ops.names()
    assert ("my.domain", "Own") not in REGISTERED_OPS.names()


def test_a_debug_marker_is_its_input_under_the_name_it_says() -> None:
    values = np.array([[1.0, -2.0]], dtype=np.float32)
    np.testing.assert_array_equal(run_node("DebugMarker", [values], export_debug_name="layer1"), values)
    builder = GraphBuilder([1, 2])
    marked = builder.node(
        "DebugMarker", [builder.node("Relu", [builder.input])], "onnx.brevitas", export_debug_name="l1"
    )
    model = ModelWrapper(builder.model(builder.node("Neg", [marked]), [1, 2]))
    context = execute_onnx(model, {builder.input: values}, return_full_exec_context=True)
    np.testing.assert_array_equal(context["l1"], [[1.0, 0.0]])
