"""The stitched top."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from finnmake.codegen.stitch import Instance, Port, render_stitched, stitched_name

TEMPLATE = Path(__file__).parents[2] / "finnmake" / "codegen" / "templates" / "stitched.v.j2"


def instances(configured: str = "B_1") -> list[Instance]:
    return [
        Instance(0, "A", "A", (), (Port("s_axis", 8),), (Port("m_axis", 4),), ((-1, 0),)),
        Instance(1, "B", configured, ("weights",), (Port("s_axis", 4),), (Port("m_axis", 2),), ((0, 0),)),
    ]


def test_simulation_top_does_not_know_parameters() -> None:
    first = render_stitched(instances("B_1"), 4, TEMPLATE, configured=False)
    assert first == render_stitched(instances("B_2"), 4, TEMPLATE, configured=False)
    assert '.WEIGHTS_FILE("layer_1_weights.mem")' in first


def test_synthesis_top_instantiates_configured_cores() -> None:
    text = render_stitched(instances("B_2"), 4, TEMPLATE, configured=True)
    assert "B_2 layer_1" in text
    assert "WEIGHTS_FILE" not in text


def test_name_depends_on_cores_and_their_order() -> None:
    one, two = instances()
    swapped = [
        Instance(0, two.core, two.configured, two.memories, two.inputs, two.outputs, one.sources),
        Instance(1, one.core, one.configured, one.memories, one.inputs, one.outputs, two.sources),
    ]
    assert stitched_name([one, two]) != stitched_name(swapped)


def residual() -> list[Instance]:
    def ports(prefix: str, count: int) -> tuple[Port, ...]:
        return tuple(Port(f"{prefix}{index}", 8) for index in range(count))

    return [
        Instance(0, "Fork", "Fork", (), (Port("s_axis", 8),), ports("out", 2), ((-1, 0),)),
        Instance(1, "Branch", "Branch", (), (Port("s_axis", 8),), (Port("m_axis", 8),), ((0, 1),)),
        Instance(2, "Join", "Join", (), ports("in", 2), (Port("m_axis", 9),), ((0, 0), (1, 0))),
    ]


def test_branches_are_connected_port_by_port() -> None:
    text = render_stitched(residual(), 4, TEMPLATE, configured=False)
    drivers = {
        "stream_0": ".s_axis_tdata(stream_0_tdata)",
        "short cut": ".out0_tdata(stream_2_tdata)",
        "branch": ".out1_tdata(stream_1_tdata)",
        "its end": ".m_axis_tdata(stream_3_tdata)",
    }
    assert [name for name, port in drivers.items() if text.count(port) != 1] == []
    assert ".in0_tdata(stream_2_tdata)" in text
    assert ".in1_tdata(stream_3_tdata)" in text
    assert "assign m_axis_tdata = stream_4_tdata" in text


def test_name_depends_on_the_streams() -> None:
    fork, branch, join = residual()
    crossed = [fork, branch, replace(join, sources=((1, 0), (0, 0)))]
    assert stitched_name([fork, branch, join]) != stitched_name(crossed)
