"""What a worker process runs to measure the schedule of a core.

In a module of its own: what finds depths may change without any core being measured again.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from finnmake.errors import VerificationError
from finnmake.runtime.core_schedule import measure_schedule
from finnmake.runtime.rtlsim import RtlSimulation


def measure_core(*, inputs: Sequence[int], outputs: Sequence[int], memories: Sequence[str], core: str) -> None:
    """Runs ``rtlsim.so`` and writes ``out/schedule.json``.

    The schedule does not depend on data: the memories are all zeros, so that other weights give the same action.

    Args:
        inputs: words of a frame of every input stream.
        outputs: words of a frame of every output stream.
        memories: names of the core's memories.
        core: its name, for messages.
    """
    with tempfile.TemporaryDirectory(dir=".") as folder:
        for memory in memories:
            # What a file does not say stays as it is at the start: zero.
            Path(folder, f"{memory}.mem").write_text("0\n", encoding="utf-8")
        with RtlSimulation(Path("rtlsim.so"), Path(folder), random_state=0) as simulation:
            try:
                schedule = measure_schedule(simulation, inputs, outputs)
            except VerificationError as problem:
                raise VerificationError(problem.what, where=core, remedy=problem.remedy) from None
    Path("out/schedule.json").write_text(schedule.text(), encoding="utf-8")
