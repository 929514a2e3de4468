"""The Verilator rule and the driver in its shared objects."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest

from finnmake.errors import ToolError, VerificationError
from finnmake.runtime.rtlsim import RtlSimulation
from tests.hls_library.harness import VERILATOR_RULE, copy_rule, run_script
from tests.runtime.conftest import BuildRtl

Bytes = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]

PORTS = """
    input wire aclk, input wire aresetn,
    input wire [WIDTH-1:0] s_axis_tdata, input wire s_axis_tvalid, output wire s_axis_tready,
    output wire [WIDTH-1:0] m_axis_tdata, output wire m_axis_tvalid, input wire m_axis_tready
"""

# One register: a word comes out xor an entry of a memory, a cycle after it went in.
REGISTER = f"""
module tested #(parameter WIDTH = 100, parameter TABLE_FILE = "table.mem") ({PORTS});
    reg [WIDTH-1:0] entries [0:3];
    initial $readmemh(TABLE_FILE, entries);
    reg [WIDTH-1:0] word;
    reg full;
    assign s_axis_tready = !full || m_axis_tready;
    assign m_axis_tvalid = full;
    assign m_axis_tdata = word;
    always @(posedge aclk)
        if (!aresetn) full <= 1'b0;
        else if (s_axis_tready) begin
            full <= s_axis_tvalid;
            word <= s_axis_tdata ^ entries[s_axis_tdata[1:0]];
        end
endmodule
"""

# Passes words, but breaks a rule: MODE 1 takes a word back, 2 changes it, 3 sends it twice, 4 stops.
FAULTY = f"""
module tested #(parameter WIDTH = 8, parameter MODE = 1) ({PORTS});
    reg [WIDTH-1:0] word;
    reg full, again;
    assign s_axis_tready = !full;
    assign m_axis_tvalid = full;
    assign m_axis_tdata = word;
    always @(posedge aclk) begin
        if (MODE == 4 && full) $stop;
        if (!aresetn) begin full <= 1'b0; again <= 1'b0; end
        else if (!full) begin full <= s_axis_tvalid; word <= s_axis_tdata; again <= 1'b1; end
        else if (m_axis_tready) begin full <= MODE == 3 && again; again <= 1'b0; end
        else if (MODE == 1) full <= 1'b0;
        else if (MODE == 2) word <= word + 1'b1;
    end
endmodule
"""

TABLE = [0x5, 0x8000000000000000000000001, 0x7, 0xFFFFFFFFFFFFFFFFFFFFFFFFF]


@pytest.fixture(scope="session")
def register(build_rtl: BuildRtl, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_rtl(tmp_path_factory.mktemp("register"), REGISTER, "--trace")


@pytest.fixture
def memories(tmp_path: Path) -> Path:
    (tmp_path / "table.mem").write_text("".join(f"{entry:025x}\n" for entry in TABLE))
    return tmp_path


def random_words(count: int) -> Bytes:
    words = np.random.default_rng(count).integers(0, 256, (count, 13), dtype=np.uint8)
    words[:, 12] &= 15
    return words


def expected(words: Bytes) -> Bytes:
    table = np.array([list(entry.to_bytes(13, "little")) for entry in TABLE], dtype=np.uint8)
    result: Bytes = words ^ table[words[:, 0] & 3]
    return result


def test_a_batch_comes_out_in_order_with_its_cycles(register: Path, memories: Path) -> None:
    words = random_words(500)
    with RtlSimulation(register, memories) as simulation:
        assert (simulation.input_widths, simulation.output_widths) == ((100,), (100,))
        result = simulation.run(words, 500, surplus_cycles=10)
        np.testing.assert_array_equal(result.outputs, expected(words))
        assert result.input_cycles.tolist() == list(range(500))
        assert result.output_cycles.tolist() == list(range(1, 501))
        assert result.first_output_latency() == 1
        assert set(result.output_intervals(4).tolist()) == {4}


@pytest.mark.parametrize(("input_stall", "output_stall"), [(0.5, 0.0), (0.0, 0.5), (0.9, 0.7)])
def test_stalls_cost_cycles_and_no_words(
    register: Path, memories: Path, input_stall: float, output_stall: float
) -> None:
    words = random_words(400)
    with RtlSimulation(register, memories) as simulation:
        runs = [
            simulation.run(words, 400, input_stall=input_stall, output_stall=output_stall, seed=seed)
            for seed in (3, 3, 4)
        ]
    for result in runs:
        np.testing.assert_array_equal(result.outputs, expected(words))
    slowest = max(input_stall, output_stall)
    assert runs[0].cycles > 0.8 * 400 / (1 - slowest)
    assert runs[0].cycles == runs[1].cycles
    assert runs[0].output_cycles.tolist() != runs[2].output_cycles.tolist()


def test_simulations_in_one_process_do_not_touch_each_other(
    register: Path, memories: Path, build_rtl: BuildRtl, tmp_path: Path
) -> None:
    other = build_rtl(tmp_path / "other", REGISTER.replace("WIDTH = 100", "WIDTH = 33").replace("^", "+"))
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / "table.mem").write_text("1\n2\n3\n4\n")
    words = random_words(50)
    narrow = np.zeros((50, 5), dtype=np.uint8)
    narrow[:, 0] = np.arange(50) % 4
    with (
        RtlSimulation(register, memories) as first,
        RtlSimulation(register, tmp_path / "second") as second,
        RtlSimulation(other, tmp_path / "second") as third,
    ):
        for _ in range(2):
            np.testing.assert_array_equal(first.run(words, 50).outputs, expected(words))
            assert second.run(words[:4], 4).outputs[:, 0].tolist() == [(w & 0xFF) ^ ((w & 3) + 1) for w in words[:4, 0]]
            assert third.run(narrow, 50).outputs[:, 0].tolist() == [2 * (i % 4) + 1 for i in range(50)]


def test_a_closed_simulation_is_unloaded(register: Path, memories: Path) -> None:
    def mapped() -> int:
        return Path("/proc/self/maps").read_text().count("/finnmake-")

    gc.collect()
    before = mapped()
    simulation = RtlSimulation(register, memories)
    simulation.run(random_words(3), 3)
    assert mapped() > before
    simulation.close()
    assert mapped() == before
    with pytest.raises(ToolError, match="closed"):
        simulation.run(random_words(3), 3)
    for _ in range(3):
        RtlSimulation(register, memories)
    gc.collect()
    assert mapped() == before


def test_a_rebuilt_file_of_the_same_name_is_the_new_one(
    register: Path, memories: Path, build_rtl: BuildRtl, tmp_path: Path
) -> None:
    words = random_words(4)
    target = tmp_path / "model.so"
    target.write_bytes(register.read_bytes())
    with RtlSimulation(target, memories) as old:
        changed = build_rtl(tmp_path / "changed", REGISTER.replace("^", "&"))
        target.unlink()
        target.write_bytes(changed.read_bytes())
        with RtlSimulation(target, memories) as new:
            assert new.run(words, 4).outputs.tolist() != old.run(words, 4).outputs.tolist()


def test_a_missing_memory_file_is_an_error(register: Path, tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"table\.mem.*not found"):
        RtlSimulation(register, tmp_path)


def test_a_word_that_does_not_come_is_a_deadlock(register: Path, memories: Path) -> None:
    counts = "s_axis: 5 of 5 input words were taken, m_axis: 5 of 6 output words came"
    with RtlSimulation(register, memories) as simulation, pytest.raises(VerificationError, match=counts):
        simulation.run(random_words(5), 6, max_idle_cycles=20)


@pytest.mark.parametrize(
    ("mode", "error", "text"),
    [
        (1, VerificationError, "m_axis_tvalid fell"),
        (2, VerificationError, "m_axis_tdata changed"),
        (3, VerificationError, "m_axis: the core makes more than the 3 words"),
        (4, ToolError, r"stop"),
    ],
)
def test_a_core_that_breaks_a_rule_is_found(
    build_rtl: BuildRtl, tmp_path: Path, mode: int, error: type[Exception], text: str
) -> None:
    model = build_rtl(tmp_path, FAULTY.replace("MODE = 1", f"MODE = {mode}"), "--optimise", "0")
    words = np.arange(3, dtype=np.uint8).reshape(3, 1)
    with RtlSimulation(model, tmp_path) as simulation, pytest.raises(error, match=text):
        simulation.run(words, 3, output_stall=0 if mode == 3 else 0.9, surplus_cycles=10)


def test_wrong_arguments_are_refused(register: Path, memories: Path, tmp_path: Path) -> None:
    with RtlSimulation(register, memories) as simulation:
        with pytest.raises(ToolError, match="shape"):
            simulation.run(np.zeros((3, 5), dtype=np.uint8), 3)
        with pytest.raises(VerificationError, match="probability"):
            simulation.run(random_words(3), 3, input_stall=1.5)
    (tmp_path / "text.so").write_text("text")
    with pytest.raises(ToolError, match="cannot load"):
        RtlSimulation(tmp_path / "text.so", tmp_path)
    with pytest.raises(ToolError, match="cannot load"):
        RtlSimulation(tmp_path / "missing.so", tmp_path)


def test_a_run_is_traced(register: Path, memories: Path, tmp_path: Path) -> None:
    with RtlSimulation(register, memories) as simulation:
        simulation.run(random_words(3), 3, trace=tmp_path / "run.vcd")
    text = (tmp_path / "run.vcd").read_text()
    assert "m_axis_tdata" in text
    assert "full" in text


def test_pyverilator_opens_the_shared_object(
    register: Path, memories: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pyverilator = pytest.importorskip("pyverilator", reason="pyverilator-mm is not installed")
    monkeypatch.chdir(memories)
    core = pyverilator.PyVerilator(str(register))
    assert core.module_name == "tested"
    word = (5 << 90) + 1
    core.io.aresetn = 1
    core.io.m_axis_tready = 1
    core.io.s_axis_tvalid = 1
    core.io.s_axis_tdata = word
    core.start_vcd_trace(str(tmp_path / "steps.vcd"), auto_tracing=False)
    core.io.aclk = 1
    core.add_to_vcd_trace()
    core.io.aclk = 0
    core.stop_vcd_trace()
    assert core["s_axis_tdata"] == word
    assert core["m_axis_tvalid"] == 1
    assert core["m_axis_tdata"] == word ^ TABLE[1]
    assert "m_axis_tdata" in (tmp_path / "steps.vcd").read_text()


def test_the_same_files_give_the_same_bytes_in_another_folder(build_rtl: BuildRtl, tmp_path: Path) -> None:
    first = build_rtl(tmp_path / "a", REGISTER)
    second = build_rtl(tmp_path / "somewhere" / "else", REGISTER)
    assert first.read_bytes() == second.read_bytes()
    assert str(tmp_path).encode() not in first.read_bytes()


def test_lint_fails_on_any_warning(tmp_path: Path) -> None:
    copy_rule(VERILATOR_RULE, tmp_path)
    (tmp_path / "tested.v").write_text(REGISTER)
    run_script(tmp_path, "lint.py", "--top", "tested", "--output", "lint.txt", "tested.v")
    assert "tested.v" in (tmp_path / "lint.txt").read_text()
    (tmp_path / "tested.v").write_text(REGISTER.replace("reg full;", "reg full, spare;"))
    with pytest.raises(AssertionError, match="UNUSEDSIGNAL"):
        run_script(tmp_path, "lint.py", "--top", "tested", "--output", "lint2.txt", "tested.v")
    assert not (tmp_path / "lint2.txt").exists()


def test_a_design_without_stream_ports_is_refused(build_rtl: BuildRtl, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="no port aresetn"):
        build_rtl(tmp_path, REGISTER.replace("aresetn", "reset"))
