"""Whole networks: the same outputs as the qonnx package, and the same shapes after tidying up."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.runtime.execute import execute_onnx
from finnmake.transformation import FoldConstants, GiveReadableTensorNames, GiveUniqueNodeNames, InferShapes
from tests.support.qonnx_models import mnist, shared_file
from tests.support.qonnx_peer import QonnxPeer

NETWORKS = {
    "tfc_w1a1.qonnx": "mnist",
    "tfc_w2a2.qonnx": "mnist",
    "tfc_w1a1.finn": "golden/tfc_w1a1_finn_input.npy",
    "kws_mlp_w3a3.qonnx": "golden/kws_input.npy",
    "cnv_s_w2a2.qonnx": "golden/cnv_s_w2a2.npz",
    "resnet_s_w4a4.qonnx": "golden/resnet_s_w4a4.npz",
    "mbnet_s_w4a4.qonnx": "golden/mbnet_s_w4a4.npz",
    "espcn_subpixel_w8.qonnx": "random",
    "metafi_w4a4.qonnx": "random",
}
LAST_BITS = {"kws_mlp_w3a3.qonnx", "resnet_s_w4a4.qonnx", "mbnet_s_w4a4.qonnx"}
"""Their last matrix product adds scales that are no powers of two: onnxruntime adds in another order where the weights
are constants, as they are here, than where they are inputs of the node's own session, as in qonnx."""


def inputs_of(shape: tuple[int, ...], source: str) -> np.ndarray:
    """One input of the network."""
    if source == "mnist":
        return (mnist(1)[0] / np.float32(255)).astype(np.float32)
    if source == "random":
        return np.random.default_rng(0).random(shape, dtype=np.float32)
    loaded = np.load(shared_file(f"models/{source}"))
    array = (
        loaded[next(name for name in loaded.files if loaded[name].shape[1:] == shape[1:])]
        if source.endswith("npz")
        else loaded
    )
    return np.asarray(array, dtype=np.float32).reshape(-1, *shape[1:])[:1]


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_are_qonnxs(qonnx: QonnxPeer, name: str) -> None:
    proto = onnx.load(shared_file(f"models/{name}.onnx"))
    model = ModelWrapper(proto)
    source = model.graph.inputs[0]
    shape = tuple(model.get_tensor_shape(source) or ())
    values = inputs_of(shape, NETWORKS[name])
    mine = execute_onnx(model, {str(source.name): values})
    theirs = qonnx.execute(proto, {str(source.name): values})
    assert mine.keys() == theirs.keys()
    for output, expected in theirs.items():
        if name in LAST_BITS:
            np.testing.assert_allclose(mine[output], expected, rtol=1e-5, atol=1e-5)
        else:
            assert np.array_equal(mine[output], expected), np.abs(mine[output] - expected).max()


def described(model: ModelWrapper) -> list[str]:
    """Each node: its name's form, and the shapes of what it takes and makes."""
    assert len({node.name for node in model.graph}) == len(model.nodes)
    assert all(str(node.name).rpartition("_")[0] == node.op_type for node in model.graph)
    shapes = [
        [list(model.get_tensor_shape(v) or ()) for v in (*node.inputs, *node.outputs) if v] for node in model.graph
    ]
    return sorted(f"{node.op_type} {shape}" for node, shape in zip(model.graph, shapes, strict=True))


@pytest.mark.parametrize("name", ["tfc_w2a2.qonnx", "tfc_w1a1.finn", "metafi_w4a4.qonnx"])
def test_nodes_and_shapes_are_qonnxs(qonnx: QonnxPeer, name: str) -> None:
    proto = onnx.load(shared_file(f"models/{name}.onnx"))
    mine = ModelWrapper(proto)
    for step in (InferShapes(), FoldConstants(), GiveUniqueNodeNames(), GiveReadableTensorNames()):
        mine = mine.transform(step)
    theirs = ModelWrapper(
        qonnx.transform(
            proto,
            ("infer_shapes", "InferShapes", {}),
            ("fold_constants", "FoldConstants", {}),
            ("infer_shapes", "InferShapes", {}),
            ("general", "GiveUniqueNodeNames", {}),
            ("general", "GiveReadableTensorNames", {}),
        )
    )
    # In another order: qonnx sorts the nodes anew.
    assert described(mine) == described(theirs)
