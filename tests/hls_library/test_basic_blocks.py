"""What the compiler of Bambu, clang, makes of the C++ tops: at most one read and one write of a stream a basic block.

Of several reads of a stream in one basic block Bambu makes wrong hardware without a word.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from finnmake.codegen.constants import constants_text
from finnmake.dataflow.layer import Layer
from tests.codegen.test_hls_top import LAYERS as TOPS
from tests.hls_library.grids import ARITHMETIC, STREAM_ORDER, WINDOW_ARITHMETIC, WINDOWS
from tests.hls_library.harness import LIBRARY, core_cpp
from tests.hls_library.random_layers import random_mvau

CLANG = next((found for name in ("clang++-16", "clang++") if (found := shutil.which(name))), None)
STUB = Path(__file__).parent / "hls_stub"
MVAU = random_mvau((64, 64), (16, 8), ("UINT2", "INT2"), (3, "UINT2"))
SEVERAL_STREAMS = STREAM_ORDER[:6]
LAYERS = (MVAU, *TOPS, *ARITHMETIC, *STREAM_ORDER, *WINDOWS[:3], *WINDOW_ARITHMETIC[:3])

pytestmark = pytest.mark.skipif(CLANG is None, reason="clang++ is not installed")


def blocks(folder: Path, layer: Layer) -> Iterator[list[str]]:
    """The instructions of each basic block of a core's function as Bambu's clang sees it."""
    (folder / "top.cpp").write_text(core_cpp(layer))
    for name, image in layer.memory_images().items():
        (folder / f"{name}.inc").write_text(constants_text(name, image))
    # The stand-in for the streams in front of the one for simulation.
    for path in (
        STUB / "hls_stream.h",
        LIBRARY / "include" / "ap_int.h",
        *(LIBRARY / name for name in layer.cpp_files),
    ):
        shutil.copy(path, folder)
    flags = ["-std=c++17", "-O2", "-fno-vectorize", "-fno-slp-vectorize"]
    for option in ("-unroll-peel-max-count=0", "-sink-common-insts=0", "-hoist-common-insts=0"):
        flags += ["-mllvm", option]
    warnings = ["-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas", "-Wno-undefined-internal"]
    assert CLANG is not None
    command = [CLANG, "-D__BAMBU__", *flags, *warnings, "-S", "-emit-llvm", "-o", "top.ll", "top.cpp"]
    made = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    text = (folder / "top.ll").read_text()
    body = re.search(rf"^define [^\n]*@{layer.core_name()}\(.*?^}}", text, re.MULTILINE | re.DOTALL)
    assert body is not None
    for block in re.split(r"^[\w.]+:.*$", body.group(), flags=re.MULTILINE):
        yield block.splitlines()


def stream_calls(block: list[str]) -> Counter[str]:
    """How often a block reads or writes which stream: by function, and by the argument that is the stream."""
    calls: Counter[str] = Counter()
    for line in block:
        call = re.search(r"call .*@_ZN3hls6stream\w*?(4read|5write)\w*\((.*)\)", line)
        if call:
            # A word that is no register comes back through the first argument.
            arguments = [part for part in call.group(2).split(", ") if "sret" not in part]
            calls[f"{call.group(1)} {arguments[0].split()[-1]}"] += 1
    return calls


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.op_type)
def test_a_block_reads_a_stream_once(tmp_path: Path, layer: Layer) -> None:
    found = [stream_calls(block) for block in blocks(tmp_path, layer)]
    assert sum(found, Counter()), "the function moves no words"
    assert max(max(calls.values(), default=0) for calls in found) == 1


@pytest.mark.parametrize("layer", SEVERAL_STREAMS, ids=lambda layer: layer.op_type)
def test_every_stream_is_named_where_it_is_used(tmp_path: Path, layer: Layer) -> None:
    calls = sum((stream_calls(block) for block in blocks(tmp_path, layer)), Counter[str]())
    # The function's first arguments are its streams; a stream that is chosen would be a register.
    used = {call.split()[1] for call in calls}
    assert used == {f"%{number}" for number in range(len(layer.input_streams()) + len(layer.output_streams()))}


def test_the_hot_loops_of_a_matrix_vector_product_are_one_block_each(tmp_path: Path) -> None:
    products = [block for block in blocks(tmp_path, MVAU) if sum(" mul " in line for line in block) >= 16 * 8]
    # One for the words that come in, one for those that were kept; each ends in a branch to itself or out.
    assert len(products) == 2
    for block in products:
        assert "!llvm.loop" in block[-1] or "!llvm.loop" in block[-2]


def test_no_heap_and_no_exceptions(tmp_path: Path) -> None:
    text = "\n".join("\n".join(block) for block in blocks(tmp_path, MVAU))
    assert not re.search(r"@(malloc|free|_Znw|_Zdl|__cxa|abort)", text)
    assert "invoke" not in text
