"""The deploy folder: bitstream, driver, description, and how to use them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from finnmake.deploy.board import Board


def deploy_files(
    name: str, *, board: Board, shell: Mapping[str, Any], timing: Mapping[str, Any], bitstream: bytes, driver: str
) -> dict[str, str]:
    """The text files of the deploy folder by name; the bitstream lies beside them as ``<name>.bit``.

    Args:
        name: of the accelerator.
        board: what the bitstream is for.
        shell: as `finnmake.deploy.shell.shell_description` gives it.
        timing: as `finnmake.deploy.actions.check_timing` writes it.
        bitstream: contents of the ``.bit`` file.
        driver: contents of the host's driver.
    """
    description = {
        **shell,
        "name": name,
        "fmax_mhz": timing["fmax_mhz"],
        "files": {
            f"{name}.bit": hashlib.sha256(bitstream).hexdigest(),
            "driver.py": hashlib.sha256(driver.encode()).hexdigest(),
        },
    }
    return {
        "driver.py": driver,
        "accelerator.json": json.dumps(description, indent=1, sort_keys=True) + "\n",
        "README.md": _readme(name, board, shell, timing),
    }


def _readme(name: str, board: Board, shell: Mapping[str, Any], timing: Mapping[str, Any]) -> str:
    source, sink = shell["input"], shell["output"]
    program = board.require_implementation().program
    commands = "\n".join(f"    {command.format(bitstream=f'{name}.bit')}" for command in program)
    turned = " The driver turns the images: the FPGA takes their elements in another order."
    turned = turned if source["order"] or sink["order"] else ""
    seconds = 10 * (source["word_bytes"] * source["words_per_frame"]) / shell["baud"]
    return f"""\
# {name} for the {board.title}

Clock {shell["clock_mhz"]:g} MHz; place and route reaches {timing["fmax_mhz"]:.1f} MHz.

The protocol, the driver and the shell have been run against each other in simulation. This folder has not been run on a
board.

## Program the board

One of:

{commands}

This loads the FPGA until it is switched off.

## Run a batch

    pip install numpy pyserial
    python driver.py --port /dev/ttyUSB0 --inputs images.npy --output outputs.npy

`images.npy` has the shape (count, {", ".join(map(str, source["shape"]))}) and integers of {source["datatype"]}
({source["minimum"]} to {source["maximum"]}); `outputs.npy` gets the shape (count, {", ".join(map(str, sink["shape"]))})
and integers of {sink["datatype"]}.{turned} In Python:

    from driver import Accelerator
    with Accelerator.open("/dev/ttyUSB0") as accelerator:
        outputs = accelerator.run(inputs)

The serial line of {shell["baud"]} baud is the limit: a frame takes at least {1000 * seconds:.3g} ms to get in,
whatever the accelerator does.

LEDs: 0 out of reset, 1 receiving, 2 sending, 3 a fault since the link was last reset. `accelerator.json` describes the
formats and holds the SHA-256 digests of the files.
"""
