"""Down to the bitstream: report, deploy folder, check of what was packed."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys

from tests.support.project import Project


def test_down_to_the_bitstream(bitstream: Project) -> None:
    output = bitstream.output
    bits = (output / "net.bit").read_bytes()
    assert len(bits) > 100_000
    assert json.loads((output / "design/bitstream_check.json").read_text())["equal"] is True
    report = json.loads((output / "report.json").read_text())
    assert report["fmax_mhz"] >= report["clock_mhz"] == 50
    assert report["mismatches"] == 0
    assert report["bitstream_checked"] is True
    assert report["cycles_per_frame"] == max(layer["interval"] for layer in bitstream.manifest())
    assert [layer["name"] for layer in report["layers"]] == bitstream.layers()
    assert {"LUT", "FF", "BRAM", "DSP"} <= report["utilisation"].keys()
    text = (output / "report.txt").read_text()
    assert "Fmax" in text
    assert "cycles per frame" in text
    assert (output / "report.svg").read_text().startswith("<svg")
    description = json.loads((output / "deploy/accelerator.json").read_text())
    for name, digest in description["files"].items():
        assert hashlib.sha256((output / "deploy" / name).read_bytes()).hexdigest() == digest
    assert (output / "deploy/net.bit").read_bytes() == bits
    driver = subprocess.run(
        [sys.executable, "-I", "driver.py", "--help"],
        cwd=output / "deploy",
        capture_output=True,
        text=True,
        check=False,
    )
    assert driver.returncode == 0, driver.stderr


def test_the_summary(bitstream: Project) -> None:
    done = bitstream.finnmake("build")
    assert done.returncode == 0, done.stderr
    assert "0 run, 0 store, " in done.stdout
    for part in ("cycles per frame", "Fmax", "LUT", "build/net/net.bit", "build/net/deploy", "0 mismatches"):
        assert part in done.stdout
    body = bitstream.build().body
    assert {"bitstream", "report", "deploy", "timing", "picture"} <= body["outputs"].keys()
