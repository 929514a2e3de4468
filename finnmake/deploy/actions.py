"""What worker processes run: the shell's top, checks of room and timing, the deploy folder.

All paths are relative to the action's scratch directory.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from finnmake.deploy.board import read_board
from finnmake.deploy.folder import deploy_files
from finnmake.deploy.shell import ShellStream, plan_shell, shell_description
from finnmake.deploy.shell import render_shell as render
from finnmake.deploy.timing import read_timing
from finnmake.errors import BoardError
from finnmake.graph.datatype import AnyDataType, DataType


def _read(name: str) -> Any:
    return json.loads(Path(name).read_text(encoding="utf-8"))


def _write(name: str, content: object) -> None:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def shell_stream(entry: dict[str, Any], shape: list[int], order: list[dict[str, list[int]]]) -> ShellStream:
    """The stream of a manifest's entry.

    Args:
        entry: of ``inputs`` of the first layer or ``outputs`` of the last one.
        shape: of a tensor of one frame; a leading axis of 1 is the batch and is left out.
        order: the manifest's ``input_order`` or ``output_order``.
    """
    datatype: AnyDataType = DataType[entry["datatype"]]
    frame = shape[1:] if shape and shape[0] == 1 else shape
    return ShellStream(
        datatype=datatype.name,
        bits=datatype.bitwidth(),
        minimum=int(datatype.min()),
        maximum=int(datatype.max()),
        elements_per_word=entry["elements_per_word"],
        words_per_frame=entry["words_per_frame"],
        shape=tuple(frame),
        order=tuple(order),
    )


def render_shell(*, clock_mhz: float) -> None:
    """``manifest.json`` and ``board.toml`` to ``out/shell.v`` and ``out/shell.json``.

    Raises:
        BoardError: the board cannot make the clock or the baud rate, a frame is too large for the shell, or a layer's
            weights come from the host.
    """
    manifest = _read("manifest.json")
    if manifest["weights"]:
        raise BoardError(
            "its weights come from the host, and the shell has no port for them",
            where=f"layer {manifest['weights'][0]['layer']}",
            remedy="Use mem_mode internal_embedded or internal_decoupled in the folding.",
        )
    shell = plan_shell(
        read_board(Path("board.toml")),
        manifest["stitched"],
        shell_stream(manifest["layers"][0]["inputs"][0], manifest["input_shape"], manifest["input_order"]),
        shell_stream(manifest["layers"][-1]["outputs"][0], manifest["output_shape"], manifest["output_order"]),
        clock_mhz,
    )
    _write("out/shell.json", shell_description(shell))
    Path("out/shell.v").write_text(render(shell), encoding="utf-8")


def check_room() -> None:
    """``resources.json`` of the merged design and ``board.toml`` to ``out/room.json``: used and available by resource.

    Raises:
        BoardError: the board has no room for the design.
    """
    board, needed = read_board(Path("board.toml")), _read("resources.json")
    board.check_room(needed)
    _write("out/room.json", {name: [needed.get(name, 0), count] for name, count in board.resources.items()})


def check_timing() -> None:
    """``place_and_route.json`` and ``shell.json`` to ``out/timing.json``: ``fmax_mhz``, ``clock``, ``utilisation``.

    What must be reached is the clock that the shell makes, which may differ a little from the one that was asked for.

    Raises:
        BoardError: the clock is not reached.
    """
    timing = read_timing(_read("place_and_route.json"))
    clock_mhz = float(_read("shell.json")["clock_mhz"])
    timing.check(clock_mhz)
    content = {
        "clock": timing.clock,
        "clock_mhz": clock_mhz,
        "fmax_mhz": timing.fmax_mhz,
        "utilisation": {name: list(counts) for name, counts in timing.utilisation.items()},
    }
    _write("out/timing.json", content)


def deploy(*, name: str) -> None:
    """Everything to take to the board, to ``out/deploy/``."""
    folder = Path("out/deploy")
    folder.mkdir(parents=True, exist_ok=True)
    bitstream = Path("design.bit")
    files = deploy_files(
        name,
        board=read_board(Path("board.toml")),
        shell=_read("shell.json"),
        timing=_read("timing.json"),
        bitstream=bitstream.read_bytes(),
        driver=Path("driver.py").read_text(encoding="utf-8"),
    )
    shutil.copyfile(bitstream, folder / f"{name}.bit")
    for path, text in files.items():
        (folder / path).write_text(text, encoding="utf-8")
