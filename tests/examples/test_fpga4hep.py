"""The FINN user's script of examples/fpga4hep, by hand and as a build."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from examples.fpga4hep import finn_script
from finnmake.build.api import build
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.runtime.execute import execute_onnx

EXAMPLE = Path(finn_script.__file__).parent


@pytest.mark.parametrize("bw", finn_script.BIT_WIDTHS)
def test_the_script_ends_in_hardware_layers_that_equal_the_model(bw: int) -> None:
    layers = finn_script.hardware_layers(bw)
    assert [node.op_type for node in layers.graph] == ["MatrixVectorActivation"] * 4
    assert {node.domain for node in layers.graph} == {"finnmake.dataflow"}
    samples = np.load(EXAMPLE / "test_jets.npy")
    reference = finn_script.scores(ModelWrapper(EXAMPLE / f"fpga4hep-bw{bw}.onnx"), samples)
    assert len(samples) >= 200
    assert np.array_equal(finn_script.scores(layers, samples), reference)
    assert np.unique(reference).size > 20
    labels = np.load(EXAMPLE / "test_labels.npy")
    assert (reference.argmax(axis=1) == labels).mean() > 0.75


def test_the_script_as_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    assert finn_script.main(["2"]) == 0
    assert "300 jets, accuracy" in capsys.readouterr().out


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("example") / "fpga4hep"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("build", ".finnmake", "__pycache__"))
    return folder


def test_the_script_as_a_build(example: Path) -> None:
    first = build(example / "dodo.py", ["fpga4hep_bw4_script"], jobs=2)
    assert first.ok, first.failures
    assert first.actions["run"] == 13, "twelve transformations and the comparison"
    built = example / "build" / "fpga4hep_bw4_script"
    assert json.loads((built / "verified.json").read_text()) == {"mismatches": 0, "samples": 300}
    (last,) = (built / "graph").glob("12-*.onnx")
    by_hand = finn_script.hardware_layers(4)
    samples = np.load(EXAMPLE / "test_jets.npy")[:20].astype(np.float32)
    graph = ModelWrapper(last)
    names = [(str(m.graph.inputs[0].name), str(m.graph.outputs[0].name), m) for m in (graph, by_hand)]
    one, other = (execute_onnx(model, {source: samples})[output] for source, output, model in names)
    assert np.array_equal(one, other)
    again = build(example / "dodo.py", ["fpga4hep_bw4_script"], jobs=2)
    assert again.actions["up_to_date"] == 13
    assert again.actions["run"] == 0


OWN = '''
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.transformation.base import Rewrite

class SetName(Rewrite):
    """Writes a remark into the model."""

    def __init__(self, text: str) -> None:
        self.text = text

    def rewrite(self, model: ModelWrapper) -> None:
        model.set_metadata_prop("remark", self.text{suffix})
'''


def test_a_transformation_of_ones_own(tmp_path: Path) -> None:
    """A module beside the build file: an edit of it reruns it; what comes after it only if its output changes."""
    shutil.copy(EXAMPLE / "fpga4hep-bw2.onnx", tmp_path / "model.onnx")
    (tmp_path / "own.py").write_text(OWN.replace("{suffix}", ""))
    (tmp_path / "dodo.py").write_text(
        "from finnmake import Transformations\n"
        "net = Transformations(model='model.onnx', name='net',\n"
        "    transformations=['InferShapes', ('own:SetName', {'text': 'mine'}), 'GiveUniqueNodeNames'])\n"
    )
    first = build(tmp_path / "dodo.py")
    assert first.ok, first.failures
    assert first.ran == ("net:GiveUniqueNodeNames", "net:InferShapes", "net:SetName")
    last = tmp_path / "build/net/graph/03-GiveUniqueNodeNames.onnx"
    assert ModelWrapper(last).get_metadata_prop("remark") == "mine"
    (tmp_path / "own.py").write_text(OWN.replace("{suffix}", " + ''"))
    assert build(tmp_path / "dodo.py").ran == ("net:SetName",)
    (tmp_path / "own.py").write_text(OWN.replace("{suffix}", " + '!'"))
    assert build(tmp_path / "dodo.py").ran == ("net:GiveUniqueNodeNames", "net:SetName")
    assert ModelWrapper(last).get_metadata_prop("remark") == "mine!"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("'NoSuchThing'", "no transformation is called 'NoSuchThing'"),
        ("('Streamline', {'x': object()})", "is no JSON value"),
        ("('Streamline', {'x': 1})", "wrong arguments"),
        ("'own:Missing'", "has no Missing"),
        ("5", "is no transformation"),
    ],
)
def test_entries_that_are_wrong(tmp_path: Path, entry: str, message: str) -> None:
    from finnmake.errors import FinnmakeError

    shutil.copy(EXAMPLE / "fpga4hep-bw2.onnx", tmp_path / "model.onnx")
    (tmp_path / "own.py").write_text(OWN.replace("{suffix}", ""))
    (tmp_path / "dodo.py").write_text(
        f"from finnmake import Transformations\nnet = Transformations(model='model.onnx', transformations=[{entry}])\n"
    )
    try:
        said = " ".join(build(tmp_path / "dodo.py").failures.values())
    except FinnmakeError as error:
        said = error.text
    assert message in said


OWN_OP = """
from finnmake.graph.custom_op import CustomOp

class Half(CustomOp):
    def execute(self, node, inputs): return [inputs[0] / 2]

OPS = {("my.domain", "Half"): Half()}
"""


def test_an_op_of_an_installed_package_in_a_build(tmp_path: Path) -> None:
    """In a process of its own, which finds the package as pip would have left it."""
    packages, folder = tmp_path / "site-packages", tmp_path / "project"
    metadata = packages / "my_package-1.0.dist-info"
    metadata.mkdir(parents=True)
    (packages / "my_ops.py").write_text(OWN_OP)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[finnmake.custom_ops]\nops = my_ops:OPS\n")
    folder.mkdir()
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3]) for name in "xyz"]
    nodes = [
        helper.make_node("Half", ["x"], ["y"], domain="my.domain"),
        helper.make_node("Identity", ["y"], ["z"]),
    ]
    graph = helper.make_graph(nodes, "g", values[:1], values[2:])
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("my.domain", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), folder / "net.onnx")
    np.save(folder / "x.npy", np.ones((2, 3), np.float32))
    (folder / "dodo.py").write_text(
        "from finnmake import Transformations\n"
        "net = Transformations(model='net.onnx', name='net', transformations=['InferShapes', 'RemoveIdentityOps'],\n"
        "    samples='x.npy')\n"
    )

    def built() -> str:
        root = str(Path(__file__).parents[2])
        program = (
            f"import sys; sys.path[:0] = [{str(packages)!r}, {root!r}]\n"
            "from pathlib import Path\n"
            "from finnmake.build.api import build\n"
            f"result = build(Path({str(folder / 'dodo.py')!r}))\n"
            "print(result.failures, list(result.ran))\n"
        )
        return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert built().strip() == "{} ['net:InferShapes', 'net:RemoveIdentityOps', 'net:verify']"
    assert built().strip() == "{} []"
    (packages / "my_ops.py").write_text(OWN_OP.replace("/ 2", "/ 2 + 0"))
    assert built().strip() == "{} ['net:InferShapes', 'net:RemoveIdentityOps', 'net:verify']"
