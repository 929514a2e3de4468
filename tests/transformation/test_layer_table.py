"""Files of foldings and of FIFO depths that say something twice, or nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from finnmake.dataflow.insert_fifos import InsertFIFO
from finnmake.errors import FoldingError
from finnmake.transformation.apply_folding import ApplyFolding
from finnmake.transformation.layer_table import read_layer_table


def test_a_table_is_read(tmp_path: Path) -> None:
    (tmp_path / "fold.json").write_text('{"A_0": {"PE": 2}, "A_1": {"PE": 2}}')
    assert read_layer_table(str(tmp_path / "fold.json")) == {"A_0": {"PE": 2}, "A_1": {"PE": 2}}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"A_0": {"PE": 2}, "A_0": {"PE": 4}}', "'A_0' twice"),
        ('{"A_0": {"PE": 2, "PE": 2}}', "'PE' twice"),
        ('{"A_0": {"inFIFODepths": [2], "inFIFODepths": [4]}}', "'inFIFODepths' twice"),
        ("[" * 100_000, "is not JSON"),
        ('{"A_0": ' * 100_000, "is not JSON"),
        ("{", "is not JSON"),
        ("[]", "is not a table"),
    ],
)
@pytest.mark.parametrize("reader", [ApplyFolding, InsertFIFO])
def test_what_cannot_be_is_one_message(
    tmp_path: Path, reader: type[ApplyFolding | InsertFIFO], content: str, said: str
) -> None:
    file = tmp_path / "mine.json"
    file.write_text(content)
    with pytest.raises(FoldingError, match=said) as caught:
        reader(file=str(file))
    assert caught.value.where == "mine.json"
    assert caught.value.remedy


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FoldingError, match=r"^absent\.json: cannot be read: No such file"):
        read_layer_table(str(tmp_path / "absent.json"))
