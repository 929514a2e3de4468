"""The stitched top."""

from __future__ import annotations

from pathlib import Path

from finnmake.codegen.stitch import Instance, render_stitched, stitched_name

TEMPLATE = Path(__file__).parents[2] / "finnmake" / "codegen" / "templates" / "stitched.v.j2"


def instances(configured: str = "B_1") -> list[Instance]:
    return [Instance(0, "A", "A", (), 8, 4), Instance(1, "B", configured, ("weights",), 4, 2)]


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
        Instance(0, two.core, two.configured, two.memories, 8, 4),
        Instance(1, one.core, one.configured, one.memories, 4, 2),
    ]
    assert stitched_name([one, two]) != stitched_name(swapped)
