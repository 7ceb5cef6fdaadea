"""Promises of the Makefile, whose rules `sam build` runs in parallel where nothing is installed."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROCESSES = 4
# A process that has filled a folder waits for the others, so that all of them move it together.
PROBE = f"""
PROCESSES := {PROCESSES}
include Makefile

probe:
	@$(call in_place,$(FOLDER)/place/made,mkdir "$$new" && echo whole >"$$new/file" && \\
		touch $(FOLDER)/filled/$$$$ && \\
		until [ $$(ls $(FOLDER)/filled | wc -l) -ge $(PROCESSES) ]; do sleep 0.01; done)
"""


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    (tmp_path / "filled").mkdir()
    (tmp_path / "probe.mk").write_text(PROBE, encoding="utf-8")
    return tmp_path


class TestAFolderThatSeveralProcessesMake:
    def test_is_the_whole_folder_of_one_and_leaves_no_other(self, folder: Path) -> None:
        flags = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
        environment = {name: value for name, value in os.environ.items() if name not in flags}
        command = ["make", "-f", str(folder / "probe.mk"), "probe", f"FOLDER={folder}"]

        makers = [subprocess.Popen(command, cwd=ROOT, env=environment) for _ in range(PROCESSES)]

        assert [maker.wait() for maker in makers] == [0] * PROCESSES
        assert len(list((folder / "filled").iterdir())) == PROCESSES
        assert [path.name for path in (folder / "place").iterdir()] == ["made"]
        assert [path.name for path in (folder / "place" / "made").iterdir()] == ["file"]
