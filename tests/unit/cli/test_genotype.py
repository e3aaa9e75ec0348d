"""Conversions lose nothing."""

import subprocess
import sys

import pytest

from nas.cli.genotype import main
from nas.genotype import load_genotype, published_genotypes


@pytest.mark.parametrize("form", ["json", "darts", "pt.darts"])
@pytest.mark.parametrize("name", sorted(published_genotypes()))
def test_every_form_reads_back(capsys, name, form):
    """What is printed is the same genotype again."""
    genotype = load_genotype(name)
    has_pairs = all(len(node) == 2 for node in (*genotype.normal, *genotype.reduce))
    if form == "darts" and not has_pairs:  # its text does not say where a node ends
        assert main([name, "--form", form]) == 2
        assert "two inputs" in capsys.readouterr().err
        return
    assert main([name, "--form", form]) == 0
    assert load_genotype(capsys.readouterr().out) == genotype


def test_forms_look_as_those_codes_print_them(capsys):
    main(["DARTS_V2"])
    assert capsys.readouterr().out.startswith("Genotype(normal=[('sep_conv_3x3', 0), (")
    main(["DARTS_V2", "--form=pt.darts"])
    assert capsys.readouterr().out.startswith("Genotype(normal=[[('sep_conv_3x3', 0), (")


def test_files_are_never_overwritten(tmp_path, capsys):
    path = tmp_path / "cell.json"
    assert main(["DARTS_V1", "--form=json", f"--out={path}"]) == 0
    assert load_genotype(path) == load_genotype("DARTS_V1")
    before = path.read_bytes()
    assert main(["DARTS_V2", f"--out={path}"]) == 2
    assert path.read_bytes() == before and "already exists" in capsys.readouterr().err


@pytest.mark.parametrize("argument", ["DARTS_V9", "Genotype(normal=exec('1'))", "/nowhere"])
def test_bad_input_is_one_line(capsys, argument):
    assert main([argument]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_list_needs_no_torch():
    code = "import sys; from nas.cli.genotype import main; main(['--list']); "
    code += "sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0 and "PC_DARTS_CIFAR" in done.stdout
