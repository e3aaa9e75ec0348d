"""Loading a space is light: no torch, no plug-in, no wait."""

import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).parents[3]

PROGRAM = """
import sys, time
start_s = time.process_time()
import nas
from nas.genotype import load_genotype
from nas.space import load_space
load_space("darts+sandglass+ir")
load_space(sys.argv[1])
load_genotype("DARTS_V2")
print(sorted({"torch", "numpy", "jsonargparse", "ops", "trap"} & sys.modules.keys()))
print(time.process_time() - start_s)
"""


def test_spaces_and_genotypes_load_without_torch_and_without_running_a_plug_in(tmp_path):
    """`load_space` and `load_genotype` import nothing heavy, run no plug-in and are quick."""
    (tmp_path / "trap.py").write_text("raise SystemExit('the plug-in ran')", encoding="utf-8")
    own = tmp_path / "own.yaml"
    own.write_text("primitives: [a]\nplugins: [trap.py, trap]\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, str(own)],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    modules, time_s = done.stdout.split("\n")[:2]
    assert modules == "[]"
    assert float(time_s) < 1
