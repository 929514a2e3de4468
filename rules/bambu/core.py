"""Makes one core with Bambu.

    python core.py --bambu bambu --front-end I386_CLANG16 --function NAME --module NAME --clock-period 20 --frames N
                   --streams in:s_axis:32 out:m_axis:16

Reads ``top.cpp`` and what it includes; writes ``out/core.v``, ``out/memories/`` and ``out/hls.json``.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

from wrapper import Control, module_ports, own_modules, parse_stream, place_memories, wrapper

FIGURES = {
    "LUT": r"Total estimated area: (\d+)",
    "FF": r"Total number of flip-flops in function \S+: (\d+)",
    "DSP": r"Estimated number of DSPs: (\d+)",
    "states": r"Number of states: (\d+)",
}
"""What Bambu says of the core on its way; a figure that it does not say is null. Its area is in LUTs where it knows the
device."""

COMPILER_OPTIONS = (
    # A peeled iteration would put two reads of a stream into one basic block.
    "-mllvm -unroll-peel-max-count=0",
    # Reads of two streams must not become one, of a stream that a variable chooses: there is no such hardware.
    "-mllvm -sink-common-insts=0 -mllvm -hoist-common-insts=0",
)


def command(arguments: argparse.Namespace) -> list[str]:
    """Bambu's command line. All paths are relative, as they end up in a comment of the Verilog."""
    return [
        arguments.bambu, "top.cpp",
        f"--top-fname={arguments.function}",
        "--generate-interface=INFER",
        f"--compiler={arguments.front_end}",
        "--std=c++17", "-O2", "-I.",
        f"--extra-gcc-options={' '.join(COMPILER_OPTIONS)}",
        f"--clock-period={arguments.clock_period}",
        # A memory of so many bits is read without a wait: in LUTs. Larger ones, a cycle later.
        "--distram-threshold=4096",
        # Registers start by the reset; initial values beside it are more than some devices have.
        "--reset-type=sync", "--reset-level=low", "--disable-reg-init-value",
        "-v2",
    ]  # fmt: skip


def without_state_value(verilog: str) -> str:
    """The Verilog without the initial value of the state register, which the reset gives it, too."""
    return re.sub(r"(\breg\s+\[[^]]*\]\s*_present_state)\s*=\s*[^,;]+", r"\1", verilog)


def without_header(verilog: str) -> str:
    """The Verilog without the comment lines that hold the date and the command line.

    The licence stays: modules of the tool's component library are under the LGPL.
    """
    version = re.sub(r"^(// Code created using .*) - Date \S+$", r"\1", verilog, flags=re.MULTILINE)
    return re.sub(r"^// Bambu executed with: .*\n", "", version, flags=re.MULTILINE)


def control(frames: int) -> Control:
    """One start a call. A start in the cycle of done is lost: the next one comes a cycle later."""
    declarations = "\n".join(
        (
            "    reg running;",
            "    wire done;",
            "    always @(posedge aclk) begin",
            "        if (!aresetn) running <= 1'b0;",
            "        else running <= running ? !done : 1'b1;",
            "    end",
        )
    )
    connections = {
        "clock": "aclk",
        "reset": "aresetn",
        "start_port": "aresetn && !running",
        "done_port": "done",
        "frames": f"32'd{frames}",
    }
    return Control(connections, declarations)


def figures(log: str) -> dict[str, int | None]:
    """Bambu's own figures."""
    found = {name: re.findall(pattern, log) for name, pattern in FIGURES.items()}
    return {name: int(values[-1]) if values else None for name, values in found.items()}


def main() -> None:
    """Runs Bambu and collects."""
    parser = argparse.ArgumentParser()
    for name in ("bambu", "front-end", "function", "module", "clock-period"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--frames", type=int, required=True)
    parser.add_argument("--streams", nargs="+", required=True)
    arguments = parser.parse_args()
    done = subprocess.run(
        command(arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False
    )
    sys.stdout.write(done.stdout)
    if done.returncode != 0:
        sys.exit(f"ERROR: Bambu ended with status {done.returncode}")
    memories = Path("out/memories")
    memories.mkdir(parents=True, exist_ok=True)
    try:
        written = Path(f"{arguments.function}.v").read_text(encoding="utf-8")
        verilog = without_state_value(without_header(written))
        streams = [parse_stream(text) for text in arguments.streams]
        ports = module_ports(verilog, arguments.function)
        verilog = own_modules(place_memories(verilog, arguments.module, memories), arguments.module)
        top = f"{arguments.module}__{arguments.function}"
        around = wrapper(arguments.module, top, streams, ports, control(arguments.frames))
    except (OSError, ValueError) as problem:
        sys.exit(f"ERROR: what Bambu made is not as expected: {problem}")
    Path("out/core.v").write_text(f"{around}\n{verilog}", encoding="utf-8")
    report = {"engine": "bambu", "clock_period_ns": float(arguments.clock_period), **figures(done.stdout)}
    Path("out/hls.json").write_text(json.dumps(report, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
