"""Compiles one model and prints what it took, as JSON; ``benchmarks.compile`` starts one process for each.

python -m benchmarks.compile_one MODEL.onnx [--repeats N] [--profile]
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import statistics
import time
from collections import Counter
from pathlib import Path
from typing import Any

from finnmake.dataflow.nodes import is_hardware
from finnmake.errors import ModelError
from finnmake.frontend import import_model
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.transformation.flow import AUTOMATIC_FLOW, make_transformation

PHASES = ("import", "streamline", "lower")


def compile_once(source: str) -> tuple[dict[str, float], ModelWrapper, str]:
    """CPU seconds of each phase, the last model that could be made, and why no other one."""
    seconds = dict.fromkeys(PHASES, 0.0)
    started = time.process_time()
    model = import_model(source)
    seconds["import"] = time.process_time() - started
    for name, arguments in AUTOMATIC_FLOW:
        started = time.process_time()
        try:
            model = model.transform(make_transformation(name, arguments))
        except ModelError as problem:
            return seconds, model, f"{name}: {problem}"
        finally:
            seconds["streamline" if name == "Streamline" else "lower"] += time.process_time() - started
    return seconds, model, ""


def peak_kib() -> int:
    """Most memory this process had at a time; what getrusage says counts the parent, too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    if options.profile:
        profile = cProfile.Profile()
        profile.runcall(compile_once, options.model)
        pstats.Stats(profile).sort_stats("tottime").print_stats(15)
        pstats.Stats(profile).sort_stats("cumtime").print_stats("finnmake", 25)
        return
    runs: list[dict[str, float]] = []
    for _ in range(options.repeats):
        seconds, model, stopped = compile_once(options.model)
        runs.append(seconds)
    ops = Counter(node.op_type for node in model.graph)
    hardware = sum(is_hardware(node) for node in model.graph)
    body: dict[str, Any] = {phase: statistics.median(run[phase] for run in runs) for phase in PHASES}
    body["total"] = statistics.median(sum(run.values()) for run in runs)
    body["peak_mib"] = peak_kib() / 1024
    body.update(hardware=hardware, left=sum(ops.values()) - hardware, ops=dict(sorted(ops.items())), stopped=stopped)
    print(json.dumps(body))


if __name__ == "__main__":
    main()
