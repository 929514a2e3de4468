"""Netlists of the dot products of a matrix layer: what they share, and that they are what the Verilog says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from finnmake.resources import find_resources
from tests.rules.equivalence import prove
from tests.rules.test_ecp5 import must_run
from tests.rules.test_synthesis import CELLS

TOP = """
module dot_products (
    input  wire aclk,
    input  wire [SIMD*2-1:0] inputs,
    input  wire [PE*SIMD-1:0] weights,
    output wire [PE*8-1:0] sums
);
    localparam SIMD = 9;
    localparam PE = 4;
    genvar p;
    generate
        for (p = 0; p < PE; p = p + 1) begin : one
            wire [SUM_WIDTH-1:0] all;
            if (p == 0 || !SHARED) begin : own
                (* mapped_once = 1 *)
                input_sum #(.SIMD(SIMD), .INPUT_WIDTH(2), .INPUT_KIND(KIND)) of_inputs (
                    .aclk(aclk), .inputs(inputs), .sum(all)
                );
            end else begin : same
                assign all = one[0].all;
            end
            (* mapped_once = 1 *)
            dot_product #(
                .SIMD(SIMD), .INPUT_WIDTH(2), .INPUT_KIND(KIND), .WEIGHT_WIDTH(1), .WEIGHT_KIND(3), .SUM_WIDTH(8)
            ) product (
                .aclk(aclk), .inputs(inputs), .weights(weights[p*SIMD +: SIMD]), .input_sum(all), .sum(sums[p*8 +: 8])
            );
        end
    endgenerate
endmodule
"""
UNSIGNED, SIGNED, TERNARY = 0, 1, 2
MODULES = (
    "common/adder_tree.v",
    "common/full_count.v",
    "common/popcount.v",
    "common/resize.v",
    "matrix_vector_activation/dot_product.v",
    "matrix_vector_activation/input_sum.v",
)
SOURCES = ["top.v", *(Path(name).name for name in MODULES)]


def synthesised(folder: Path, family: str, kind: int, *, shared: bool) -> Path:
    """The folder of a netlist."""
    library = find_resources().hls_library
    top = TOP.replace("KIND)", f"{kind})").replace("SHARED", str(int(shared)))
    files = {Path(name).name: (library / name).read_text(encoding="utf-8") for name in MODULES}
    files["top.v"] = top.replace("SUM_WIDTH-1", str(4 if kind == TERNARY else 5))
    return must_run(
        f"{family}_synth", folder, {"top": "dot_products", "sources": SOURCES, "dsp_options": ["--no-dsp"]}, files
    )


@pytest.mark.parametrize("kind", [UNSIGNED, SIGNED, TERNARY])
@pytest.mark.parametrize("family", ["xcup", "ecp5"])
def test_weights_of_one_bit_share_the_sum_of_all_inputs(tmp_path: Path, family: str, kind: int) -> None:
    shared = synthesised(tmp_path / "shared", family, kind, shared=True)
    assert prove(shared, "dot_products", SOURCES, CELLS[family]) == ""
    own = synthesised(tmp_path / "own", family, kind, shared=False)
    luts = [json.loads((folder / "resources.json").read_text())["LUT"] for folder in (shared, own)]
    assert luts[0] < 0.85 * luts[1]
    right = (shared / "dot_product.v").read_text()
    (shared / "dot_product.v").write_text(right.replace("- all;", "+ all;"))
    assert "unproven" in prove(shared, "dot_products", SOURCES, CELLS[family])
