PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
QUICKSTART := runs/quickstart
# More requirements than those of pyproject.toml, such as "torch==2.9.*".
REQUIREMENTS ?=

.PHONY: quickstart test pytest test-all lint docs clean

# Search and train on the embedded data: no download, no GPU. Starts from the beginning.
quickstart: $(INSTALLED)
	rm -rf $(QUICKSTART)
	$(BIN)/python search.py --config experiments/quickstart/search.yaml --out $(QUICKSTART)/search
	$(BIN)/python augment.py --config experiments/quickstart/augment.yaml \
		--genotype $(QUICKSTART)/search --out $(QUICKSTART)/augment

# Everything that must pass before a change is merged.
test: lint pytest

# The default suite. Tests that take minutes are left to test-all.
pytest: $(INSTALLED)
	$(BIN)/python -m pytest -n auto

test-all: lint
	$(BIN)/python -m pytest -n auto -m "slow or not slow"

# Style, import levels, types.
lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

# The documentation as a site, in site/.
docs: $(INSTALLED)
	$(BIN)/mkdocs build --strict

$(INSTALLED): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]" $(REQUIREMENTS)
	touch $@

clean:
	rm -rf $(VENV) $(QUICKSTART) build dist site
