"""What Slurm is asked for, and what its answers mean."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from finnmake.build.configuration import SlurmConfiguration
from finnmake.build.slurm.commands import (
    JobState,
    Verdict,
    job_script,
    parse_states,
    passed_environment,
    remedy,
    submission,
    verdict,
)

FOLDER = Path("/shared/a b/scratch")


def test_the_script_is_one_command_whatever_is_in_the_paths(tmp_path: Path) -> None:
    python = tmp_path / "it's $(here)" / "python"
    python.parent.mkdir()
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    python.chmod(0o755)
    script = job_script(python, tmp_path / "a; b" / "job.json")
    done = subprocess.run(["sh"], input=script, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["-m", "finnmake.build.slurm.job", f"{tmp_path}/a; b/job.json"]


def test_a_submission_without_any_configuration() -> None:
    assert submission(SlurmConfiguration(), "finnmake-1", FOLDER, "Synth", "") == [
        "--parsable",
        "--no-requeue",
        "--job-name=finnmake-1",
        "--comment=Synth",
        "--chdir=/shared/a b/scratch",
        "--output=/shared/a b/scratch/slurm.out",
        "--export=ALL",
    ]


def test_options_of_all_jobs_and_of_a_rule_come_before_what_a_build_relies_on() -> None:
    configuration = SlurmConfiguration(
        partition="fpga", account="nn", options=("--output=elsewhere",), rules={"Synth": ("--mem=8G",)}
    )
    arguments = submission(configuration, "finnmake-1", FOLDER, "Synth", "")
    assert arguments[:4] == ["--output=elsewhere", "--mem=8G", "--partition=fpga", "--account=nn"]
    assert arguments.index("--output=elsewhere") < arguments.index("--output=/shared/a b/scratch/slurm.out")
    assert "--mem=8G" not in submission(configuration, "finnmake-1", FOLDER, "Simulate", "")


@pytest.mark.parametrize(("licences", "expected"), [({}, "vivado:1"), ({"vivado": "xlnx@flex:2"}, "xlnx@flex:2")])
def test_a_licence_is_asked_for_by_its_name_or_by_the_sites(licences: dict[str, str], expected: str) -> None:
    arguments = submission(SlurmConfiguration(licences=licences), "finnmake-1", FOLDER, "Synth", "vivado")
    assert f"--licenses={expected}" in arguments


def test_states_are_read_and_other_lines_left_out() -> None:
    text = "12|RUNNING|None\n13|PENDING|Licenses\nslurm_load_jobs error\n14|FAILED|Exit|Code\n12_3|RUNNING|None\n"
    assert parse_states(text) == {
        12: JobState("RUNNING", "None"),
        13: JobState("PENDING", "Licenses"),
        14: JobState("FAILED", "Exit|Code"),
    }


@pytest.mark.parametrize(
    ("state", "reason", "expected"),
    [
        *[
            (state, "None", Verdict.GOES_ON)
            for state in ("RUNNING", "CONFIGURING", "SUSPENDED", "COMPLETING", "STOPPED")
        ],
        *[("PENDING", reason, Verdict.GOES_ON) for reason in ("None", "Licenses", "Resources", "Priority")],
        *[("PENDING", reason, Verdict.FAILED) for reason in ("BadConstraints", "JobHeldAdmin", "PartitionTimeLimit")],
        *[(state, "None", Verdict.LOST) for state in ("NODE_FAIL", "BOOT_FAIL", "PREEMPTED", "REVOKED")],
        *[(state, "None", Verdict.FAILED) for state in ("CANCELLED", "TIMEOUT", "OUT_OF_MEMORY", "DEADLINE")],
        *[(state, "None", Verdict.ENDED) for state in ("COMPLETED", "FAILED")],
        ("SOMETHING_NEW", "None", Verdict.GOES_ON),
    ],
)
def test_what_a_state_means(state: str, reason: str, expected: Verdict) -> None:
    assert verdict(JobState(state, reason)) is expected


def test_a_job_that_slurm_does_not_know_has_ended() -> None:
    assert verdict(None) is Verdict.ENDED


def test_what_to_do_about_a_job_is_said() -> None:
    assert "--mem" in remedy(JobState("OUT_OF_MEMORY", "None"))
    assert "--time" in remedy(JobState("TIMEOUT", "TimeLimit"))
    assert "BadConstraints" in remedy(JobState("PENDING", "BadConstraints"))


def test_slurm_gets_what_finds_tools_and_no_secrets() -> None:
    given = {"PATH": "/usr/bin", "HOME": "/h", "SLURM_CONF": "/c", "SBATCH_PARTITION": "p", "CACHE_TOKEN": "secret"}
    assert passed_environment(given) == {name: given[name] for name in given if name != "CACHE_TOKEN"}
