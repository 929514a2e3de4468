"""Fuzzing of the importer and the automatic flow: thousands of damaged models, no traceback, no hang, bounded memory.

``python -m tests.frontend.fuzz --count 2000`` mutates the seed networks and runs each result in a child process under
limits. A finding is anything but a model that passes or a ``FinnmakeError``; findings are kept with ``--keep``.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import select
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from finnmake.errors import FinnmakeError
from finnmake.frontend import import_model
from finnmake.transformation.flow import AUTOMATIC_FLOW, make_transformation
from tests.frontend.mutations import mutated
from tests.frontend.seeds import seeds

MEMORY_LIMIT = 2 << 30
"""Bytes of address space of the child: more than what it has resident."""
SECONDS_A_MODEL = 20


@dataclass(frozen=True)
class Finding:
    """One model that something went wrong with.

    Attributes:
        index: of the mutation, which makes the model again.
        what: the exception and where it was raised, or "hang", or how the process ended.
    """

    index: int
    what: str


@dataclass(frozen=True)
class Report:
    """What a run gave."""

    outcomes: Counter[str]
    findings: list[Finding]
    peak_bytes: int


def model_bytes(seed: int, index: int) -> bytes:
    """The damaged model of an index."""
    rng = random.Random(f"{seed} {index}")
    networks = seeds()
    name = rng.choice(sorted(networks))
    return mutated(networks[name], rng)


def fuzz(count: int, seed: int = 0, *, start: int = 0) -> Report:
    """Runs ``count`` mutated models in child processes."""
    outcomes: Counter[str] = Counter()
    findings: list[Finding] = []
    peak = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        indices = list(range(start, start + count))
        for index in indices:
            (folder / f"{index}.onnx").write_bytes(model_bytes(seed, index))
        while indices:
            for answer in _child(folder, indices):
                done = int(answer["index"])
                indices = [index for index in indices if index > done]
                outcomes[answer["outcome"]] += 1
                peak = max(peak, int(answer.get("peak", 0)))
                if answer["outcome"] == "finding":
                    findings.append(Finding(done, answer["what"]))
    return Report(outcomes, findings, peak)


def _child(folder: Path, indices: list[int]) -> Iterator[dict[str, str]]:
    """Answers of one child process, until it has done all, hangs or dies."""
    command = [sys.executable, "-m", "tests.frontend.fuzz", "--child", str(folder), str(indices[0]), str(indices[-1])]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    waiting = iter(indices)
    try:
        for index in waiting:
            patience = SECONDS_A_MODEL + (60 if index == indices[0] else 0)
            if not select.select([process.stdout], [], [], patience)[0]:
                yield {"index": str(index), "outcome": "finding", "what": f"hang: more than {patience} s"}
                return
            line = process.stdout.readline()
            if not line:
                yield {"index": str(index), "outcome": "finding", "what": f"died with status {process.wait()}"}
                return
            yield json.loads(line)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def _run_child(folder: Path, first: int, last: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    for index in range(first, last + 1):
        answer = {"index": str(index), **_outcome(folder / f"{index}.onnx")}
        answer["peak"] = str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
        print(json.dumps(answer), flush=True)


def _outcome(path: Path) -> dict[str, str]:
    stage = "import"
    try:
        model = import_model(path)
        for name, arguments in AUTOMATIC_FLOW:
            stage = name
            model = model.transform(make_transformation(name, arguments))
    except FinnmakeError as problem:
        # The message names a place or what to do: a bare sentence helps nobody.
        if problem.what and (problem.where or problem.remedy):
            return {"outcome": "refused by import" if stage == "import" else "refused later"}
        return {"outcome": "finding", "what": f"{stage}: neither place nor remedy: {problem.text}"}
    except BaseException as problem:  # noqa: BLE001 - whatever it is, it is a finding
        frames = traceback.extract_tb(problem.__traceback__)
        places = " < ".join(
            f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(frames[-6:])
        )
        return {"outcome": "finding", "what": f"{stage}: {type(problem).__name__}: {str(problem)[:200]} at {places}"}
    return {"outcome": "passed"}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for the models of the findings")
    parser.add_argument("--child", nargs=3)
    arguments = parser.parse_args()
    if arguments.child:
        _run_child(Path(arguments.child[0]), int(arguments.child[1]), int(arguments.child[2]))
        return
    started = time.monotonic()
    report = fuzz(arguments.count, arguments.seed, start=arguments.start)
    for finding in report.findings:
        print(f"{finding.index}: {finding.what}")
        if arguments.keep:
            arguments.keep.mkdir(parents=True, exist_ok=True)
            (arguments.keep / f"{finding.index}.onnx").write_bytes(model_bytes(arguments.seed, finding.index))
    said = ", ".join(f"{count} {outcome}" for outcome, count in sorted(report.outcomes.items()))
    print(f"{said}; {report.peak_bytes >> 20} MiB at most, {time.monotonic() - started:.0f} s")
    sys.exit(bool(report.findings))


if __name__ == "__main__":
    main()
