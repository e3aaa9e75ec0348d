"""Reports read files only: torch stays out of the process."""

import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).parents[3]

PROGRAM = """
import sys
import numpy as np
from nas.genotype import load_genotype
from nas.report.figures.alphas import alpha_heat_map
from nas.report.cells import diagram
from nas.cli.report import main
from nas.report.html import write_report
out = sys.argv[1]
diagram.draw_cells(load_genotype("DARTS_V2"), out, ("svg",))
write_report(out)
alpha_heat_map(np.ones((1, 1)), ("none",), ("0->2",), "t")
found = sorted({"torch", "matplotlib.pyplot"} & sys.modules.keys())
assert "matplotlib.figure" in sys.modules
print(found)
"""


def test_pictures_are_made_without_torch_and_pyplot(make_run_dir):
    """Importing the report and drawing everything loads neither torch nor pyplot."""
    run_dir = make_run_dir(2, "s2")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, str(run_dir)],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "[]", "")
    assert {"cell_normal.svg", "curves.png", "alphas.png", "report.html"} <= {
        path.name for path in run_dir.iterdir()
    }
