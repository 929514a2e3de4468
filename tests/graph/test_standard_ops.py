"""Standard ops through onnxruntime: what it does beside computing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import time
import numpy as np
from finnmake.frontend.import_model import import_model
from finnmake.runtime.execute import Executor
from tests.support.networks import Mlp

model = import_model(Mlp((4, 3)).model())
source = model.graph.inputs[0]
Executor(model).run({source.name: np.zeros((2, 1, 1, 4), np.float32)})
time.sleep(1)
"""


def test_nothing_is_reported_and_nothing_is_kept(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "HOME": str(home), "XDG_CACHE_HOME": "", "PYTHONPATH": root}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert list(home.rglob("*")) == []
