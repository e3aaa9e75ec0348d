import os
import shutil
import stat
import sys
from pathlib import Path

import pytest

from nas.errors import ReportError
from nas.report.cells import graphviz as engine
from nas.report.cells.graphviz import find_engine, render

SOURCE = "digraph { a -> b }"


def _executable(path: Path, body: str) -> Path:
    path.write_text(f"#!{sys.executable}\n{body}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def only_pure(monkeypatch, tmp_path):
    """Leave graphviz-pure as the only engine, whatever this machine has."""
    pure = find_pure()
    folder = tmp_path / "only_pure"
    folder.mkdir()
    (folder / "graphviz-pure").symlink_to(pure)
    monkeypatch.setenv("PATH", str(folder))
    return pure


def find_pure() -> str:
    beside = shutil.which("graphviz-pure", path=str(Path(sys.executable).parent))
    found = beside or shutil.which("graphviz-pure")
    assert found, "the project depends on graphviz-pure; pip install graphviz-pure"
    return found


def test_system_dot_is_preferred(monkeypatch, tmp_path):
    """A `dot` on PATH is run instead of graphviz-pure, with the source on its stdin."""
    body = (
        "import pathlib, sys\n"
        f"pathlib.Path({str(tmp_path / 'seen')!r}).write_text("
        "repr(sys.argv[1:]) + sys.stdin.read())\n"
        "sys.stdout.write('%PDF-1.7 made by a fake')\n"
    )
    _executable(tmp_path / "dot", body)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert render(SOURCE, "pdf") == b"%PDF-1.7 made by a fake"
    assert (tmp_path / "seen").read_text() == f"['-Kdot', '-Tpdf']{SOURCE}"


def test_pure_engine_is_found_beside_python(monkeypatch, tmp_path):
    """Without anything on PATH the executable beside sys.executable is taken."""
    _executable(tmp_path / "graphviz-pure", "print('<?xml fake')")
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert find_engine().path == str(tmp_path / "graphviz-pure")
    assert find_engine().formats == ("png", "svg")


def test_pure_engine_is_found_on_path(monkeypatch, only_pure, tmp_path):
    """With nothing beside sys.executable the executable on PATH is taken."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert Path(find_engine().path).resolve() == Path(only_pure).resolve()


def test_no_engine_says_what_to_install(monkeypatch, tmp_path):
    """Without any engine the error says how to get one."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(ReportError, match="pip install graphviz-pure"):
        render(SOURCE, "png")


def test_pure_engine_renders_png_and_svg(only_pure):
    """graphviz-pure alone gives PNG and SVG."""
    assert render(SOURCE, "png").startswith(b"\x89PNG")
    assert b"<svg" in render(SOURCE, "svg")


def test_pdf_needs_the_system_dot(only_pure):
    """Asked for a PDF without `dot`, the error says so and what to install."""
    with pytest.raises(ReportError, match=r"pdf picture needs the `dot`.*install Graphviz"):
        render(SOURCE, "pdf")


def test_unknown_format_names_the_known_ones():
    """A format that no engine is asked for is an error with the list of those that are."""
    with pytest.raises(ReportError, match="unknown format 'gif'; known: png, svg, pdf"):
        render(SOURCE, "gif")


def test_failed_render_carries_the_message_of_the_engine(only_pure):
    """A source that is no graph is an error with the words of the engine."""
    with pytest.raises(ReportError, match=r"-Tsvg failed \(exit code 1\): .*syntax error"):
        render("digraph { a -> ", "svg")


def test_output_that_is_no_picture_is_refused(monkeypatch, tmp_path):
    """An engine that exits 0 without a picture does not count as done."""
    _executable(tmp_path / "dot", "import sys; sys.stderr.write('no png plug-in')")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ReportError, match="no png plug-in"):
        render(SOURCE, "png")


def test_exit_code_counts_even_with_a_picture(monkeypatch, tmp_path):
    """A picture from an engine that failed in the end is not taken."""
    _executable(tmp_path / "dot", "print('<?xml half a picture'); raise SystemExit(3)")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ReportError, match=r"exit code 3"):
        render(SOURCE, "svg")


def test_engine_that_hangs_is_stopped(monkeypatch, tmp_path):
    """An engine that takes too long is stopped with an error."""
    _executable(tmp_path / "dot", "import time; time.sleep(60)")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(engine, "TIMEOUT_S", 0.2)
    with pytest.raises(ReportError, match=r"did not draw the picture within 0\.2 s"):
        render(SOURCE, "png")


def test_engine_that_cannot_run_is_named(monkeypatch, tmp_path):
    """A `dot` that is no program is an error that names it."""
    broken = tmp_path / "dot"
    broken.write_bytes(b"\x00\x01 no program")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ReportError, match="dot: cannot be run"):
        render(SOURCE, "png")
