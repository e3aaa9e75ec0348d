"""The unit tests mirror nas/: a folder for each package, a file named as the module it tests."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "tests" / "unit"
TOPICS = {
    "config/test_experiments.py": "the settings files of experiments/",
    "data/test_document.py": "docs/data.md",
    "detect/test_train.py": "a training, from settings to files",
    "genotype/test_json.py": "genotype.json, which several modules write and read",
    "genotype/test_other_codes.py": "the forms of other projects' genotypes",
    "report/test_detection.py": "the report of a detector, page and figures",
    "report/test_without_torch.py": "imports of the whole package",
    "runtime/test_complexity_layers.py": "complexity, one case for each kind of layer",
    "search/test_architect_compute.py": "architect: precision and micro-batches",
    "search/test_architect_state.py": "architect: what a step leaves unchanged",
    "search/test_architect_toy.py": "architect: a problem with a solution in closed form",
    "search/test_darts_pt.py": "selections and projection together",
    "search/test_eigenvalue.py": "hessian, its monitor and its stop together",
    "search/test_published_settings.py": "experiments/methods/",
    "space/test_readme.py": "search_spaces/README.md",
    "space/test_unions.py": "files: unions of spaces",
    "space/test_without_torch.py": "imports of the whole package",
}
"""Files that are named by a topic, and which."""


def unit_tests():
    return sorted(path.relative_to(UNIT) for path in UNIT.rglob("test_*.py"))


def is_of_a_module(test):
    """Whether the package, or a package in it, has a module or package of the test's name."""
    package, name = ROOT / "nas" / test.parent, test.stem.removeprefix("test_")
    modules = [*package.rglob(f"{name}.py"), package / name]
    return any(path.exists() for path in modules)


def test_a_test_file_is_named_as_its_module():
    others = {test.as_posix() for test in unit_tests() if not is_of_a_module(test)}
    assert others == set(TOPICS)


def test_every_package_has_unit_tests():
    """Of the package itself or, for a part of it, of the package around it."""
    packages = {path.parent.relative_to(ROOT / "nas") for path in ROOT.glob("nas/*/**/__init__.py")}
    tested = {parent for test in unit_tests() for parent in (test.parent, *test.parent.parents)}
    assert {package.parts[0] for package in packages if package not in tested} <= {
        package.parts[0] for package in tested if package.parts
    }
    assert {package for package in packages if len(package.parts) == 1} <= tested
