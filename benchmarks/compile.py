"""What compiling costs: from a QONNX model to hardware layers, CPU seconds and memory, beside the peer.

    python -m benchmarks.compile [--models FOLDER] [--only NAME ...] [--peer PYTHON] [--profile]

Small networks come from ``--models``; MobileNet-v1, ResNet-50 and chains of equal layers are made with random weights.
Each network is compiled in a process of its own, three times; the medians stand in the table, without the time that
Python takes to import the packages. Where a network does not become hardware layers completely, the table counts the
integer ops that are left, and the reason is printed below it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from benchmarks.networks import chain, mobilenet_v1, resnet50

FILES: Mapping[str, str] = {
    "tfc_w1a1": "tfc_w1a1.qonnx.onnx",
    "tfc_w2a2": "tfc_w2a2.qonnx.onnx",
    "cnv_s_w2a2": "cnv_s_w2a2.qonnx.onnx",
    "mbnet_s_w4a4": "mbnet_s_w4a4.qonnx.onnx",
    "resnet_s_w4a4": "resnet_s_w4a4.qonnx.onnx",
    "metafi_w4a4": "metafi_w4a4.qonnx.onnx",
}

CHAINS = (25, 50, 100, 200, 400)

GENERATED: Mapping[str, Callable[[], onnx.ModelProto]] = {
    "mobilenet_v1": mobilenet_v1,
    "resnet50": resnet50,
    **{f"chain_{layers}": lambda layers=layers: chain(layers) for layers in CHAINS},  # type: ignore[misc]
}

TARGETS = {"tfc_w1a1": 0.1, "tfc_w2a2": 0.1, "metafi_w4a4": 1.0, "mobilenet_v1": 1.5, "resnet50": 5.0}
"""CPU seconds from import to hardware layers."""

COLUMNS = ("network", "nodes", "import", "streamline", "lower", "total s", "target", "peak MiB", "layers", "left")


def child(command: Sequence[str]) -> dict[str, Any]:
    """Runs one measurement; its JSON."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"stopped": (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]}
    body: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return body


def row(name: str, nodes: int, body: Mapping[str, Any]) -> list[str]:
    """One row of the table."""
    if "total" not in body:
        return [name, str(nodes), *["-"] * (len(COLUMNS) - 2)]
    seconds = [f"{body[key]:.2f}" for key in ("import", "streamline", "lower", "total")]
    target = f"{TARGETS[name]:.1f}" if name in TARGETS else ""
    return [name, str(nodes), *seconds, target, f"{body['peak_mib']:.0f}", str(body["hardware"]), str(body["left"])]


def exponent(seconds: Mapping[int, float]) -> float:
    """The exponent k of seconds = c · layers^k, fitted over all chains."""
    return float(np.polyfit(np.log(list(seconds)), np.log(list(seconds.values())), 1)[0])


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Columns side by side."""
    widths = [max(len(cells[column]) for cells in rows) for column in range(len(rows[0]))]
    for cells in rows:
        print("  ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True)), flush=True)


def write_models(folder: Path, models: Path | None, only: Sequence[str]) -> dict[str, Path]:
    """Paths of the networks to compile, by name; the generated ones are written to ``folder``."""
    paths = {name: models / file for name, file in FILES.items()} if models is not None else {}
    chosen = [name for name in (*paths, *GENERATED) if not only or name in only]
    for name in chosen:
        if name in GENERATED:
            paths[name] = folder / f"{name}.onnx"
            onnx.save(GENERATED[name](), paths[name])
    return {name: paths[name] for name in chosen}


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", type=Path, help="folder with the small networks")
    parser.add_argument("--only", nargs="+", default=(), choices=[*FILES, *GENERATED])
    parser.add_argument("--peer", type=Path, help="Python of an environment with finn-plus or qonnx")
    parser.add_argument("--profile", action="store_true", help="print where the time goes instead")
    options = parser.parse_args()
    header = [*COLUMNS, *(["peer s", "ratio"] if options.peer else [])]
    rows, reasons, chains = [header], [], {}
    with tempfile.TemporaryDirectory() as temporary:
        for name, path in write_models(Path(temporary), options.models, options.only).items():
            command = [sys.executable, "-m", "benchmarks.compile_one", str(path)]
            if options.profile:
                print(name, flush=True)
                subprocess.run([*command, "--profile"], check=True)
                continue
            nodes = len(onnx.load(path, load_external_data=False).graph.node)
            body = child(command)
            cells = row(name, nodes, body)
            if name.startswith("chain_") and "total" in body:
                chains[int(name.removeprefix("chain_"))] = body["total"]
            if options.peer:
                peer = child([str(options.peer), str(Path(__file__).parent / "compile_peer.py"), str(path)])
                known = "total" in peer and "total" in body
                cells += [f"{peer['total']:.1f}", f"{peer['total'] / body['total']:.0f}"] if known else ["-", "-"]
                reasons += [f"{name}, peer: {peer['stopped']}"] if peer.get("stopped") else []
            rows.append(cells)
            reasons += [f"{name}: {body['stopped'].splitlines()[0]} {body.get('ops', '')}"] if body["stopped"] else []
            print(f"{name} done", file=sys.stderr, flush=True)
    if len(rows) > 1:
        print_table(rows)
    if len(chains) > 1:
        print(f"chains: seconds grow as layers^{exponent(chains):.2f}")
    print("\n".join(reasons))


if __name__ == "__main__":
    main()
