"""Every transformation of the library, alone, leaves the function of a random network as it is.

On three kinds of random networks: as they are imported, streamlined, and lowered to channels last. All scales are
powers of two, so that float32 is exact and outputs are compared bit for bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from finnmake.errors import ModelError
from finnmake.graph.model_files import serialised
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.runtime.execute import execute_onnx
from finnmake.transformation.library import TRANSFORMATIONS
from tests.support.quantised_networks import QuantisedNetwork

ARGUMENTS: dict[str, dict[str, Any]] = {
    "ChangeBatchSize": {"bsize": 1},
    "ApplyFolding": {"folding": {}},
    "ApplyConfig": {"config": {}},
}
OTHER_FUNCTION = {
    "CreateDataflowPartition": "leaves the output's scale to the host, and refuses what has no layer",
    "InsertTopK": "adds a TopK",
    "AbsorbScalarMulAddIntoTopK": "keeps the order of a TopK's values, not the values",
    "MergeONNXModels": "takes a second model",
    "LowerToChannelsLast": "is a stage of its own here",
}
"""Transformations that are not to leave the function as it is, or not alone; each has tests of its own."""
SAME_FUNCTION = sorted(set(TRANSFORMATIONS) - set(OTHER_FUNCTION))


def outputs(model: ModelWrapper, values: Any) -> Any:
    found = execute_onnx(model, {str(model.graph.inputs[0].name): values.astype(np.float32)})
    return found[str(model.graph.outputs[0].name)]


def check(seed: int, names: list[str]) -> int:
    """How many of the applications changed the graph."""
    network = QuantisedNetwork(seed, exact=True, blocks=2)
    imported = network.model()
    values = network.values(imported, 4)
    expected = outputs(imported, values)
    streamlined = imported.transform(TRANSFORMATIONS["Streamline"]())
    lowered = streamlined.transform(TRANSFORMATIONS["LowerToChannelsLast"]())
    changed = 0
    for stage, model in (("imported", imported), ("streamlined", streamlined), ("lowered", lowered)):
        for name in names:
            before = serialised(model.model.clone())
            after = TRANSFORMATIONS[name](**ARGUMENTS.get(name, {})).apply(model)
            assert serialised(model.model.clone()) == before, f"{name} changes the {stage} network that it is given"
            if serialised(after.model.clone()) != before:
                changed += 1
                assert np.array_equal(outputs(after, values), expected), f"{name} on the {stage} network"
    return changed


@settings(max_examples=3, deadline=None, phases=[Phase.reuse, Phase.generate])
@given(seed=st.integers(0, 10**6))
def test_every_transformation_leaves_the_function(seed: int) -> None:
    check(seed, SAME_FUNCTION)


def test_accumulators_behind_a_sum_of_branches_hold_what_its_datatype_allows() -> None:
    assert check(5363, ["InferQuantizedMatrixVectorActivation"]) > 0


@pytest.mark.nightly
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_every_transformation_leaves_the_function_at_length(seed: int) -> None:
    check(seed, SAME_FUNCTION)


def test_the_networks_give_transformations_something_to_do() -> None:
    assert sum(check(seed, SAME_FUNCTION) for seed in range(2)) > 20


@pytest.mark.parametrize("name", sorted(OTHER_FUNCTION))
def test_what_is_left_out_is_there(name: str) -> None:
    assert name in TRANSFORMATIONS


def test_a_partition_of_what_has_no_layer_is_refused() -> None:
    model = QuantisedNetwork(1, exact=True, blocks=2).model().transform(TRANSFORMATIONS["Streamline"]())
    with pytest.raises(ModelError, match="no hardware layer"):
        TRANSFORMATIONS["CreateDataflowPartition"]().apply(model)
