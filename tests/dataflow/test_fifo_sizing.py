"""FIFOs that cannot be synthesised, however their depths came about."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from finnmake.dataflow.fifo_sizing import check_memories
from finnmake.dataflow.fm_padding import FMPadding
from finnmake.dataflow.insert_fifos import InsertFIFO
from finnmake.errors import FoldingError
from finnmake.runtime.timing_actions import size_fifos
from tests.support.hardware_models import hardware_model

LARGEST = (1 << 24) - 1
"""Words of 64 bits."""


def depths(words: int) -> dict[str, dict[str, list[int]]]:
    return {"FMPadding_1": {"inFIFODepths": [words]}}


def test_given_depths_that_cannot_be_synthesised_are_refused() -> None:
    model = hardware_model([FMPadding(size, "1,1,1,1", 16, 16, "UINT4") for size in ("4,4", "6,6")])
    assert [node.op_type for node in model.transform(InsertFIFO(depths(LARGEST))).nodes].count("StreamingFIFO") == 1
    with pytest.raises(FoldingError, match=rf"^layer FMPadding_1: .* 64 bits (?s:.*) largest depth there is {LARGEST}"):
        model.transform(InsertFIFO(depths(LARGEST + 1)))


def test_given_depths_are_looked_at_before_others_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    stream = {"datatype": "UINT4", "elements_per_word": 16, "words_per_frame": 4, "width": 64}
    layers = [{"name": f"FMPadding_{number}", "inputs": [stream]} for number in range(2)]
    Path("manifest.json").write_text(json.dumps({"layers": layers}))
    with pytest.raises(FoldingError, match=f"largest depth there is {LARGEST}"):
        size_fifos(depths=depths(LARGEST + 1))


@pytest.mark.parametrize(
    ("depth", "width", "largest"),
    [(1 << 26, 16, 1 << 24), (1 << 22, 256, (1 << 22) - 1), (1 << 20, 1024, (1 << 20) - 1)],
)
def test_depths_that_are_found_may_be_too_large_too(depth: int, width: int, largest: int) -> None:
    found = {(0, 0): 2, (1, 1): depth}
    with pytest.raises(FoldingError, match=f"layer B_0: a FIFO of {depth} words of {width} bits") as caught:
        check_memories(["A_0", "B_0"], found, lambda _: width)
    assert f"is {largest}:" in caught.value.remedy
    check_memories(["A_0", "B_0"], {(1, 1): largest}, lambda _: width)
