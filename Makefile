PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
QUICKSTART := runs/quickstart

.PHONY: quickstart test test-all lint clean

# A search on the embedded data and the retrain of its cells: no download, no GPU. Starts afresh.
quickstart: $(INSTALLED)
	rm -rf $(QUICKSTART)
	$(BIN)/python search.py --config experiments/quickstart/search.yaml --out $(QUICKSTART)/search
	$(BIN)/python augment.py --config experiments/quickstart/augment.yaml \
		--genotype $(QUICKSTART)/search --out $(QUICKSTART)/augment

# The default suite; what takes minutes is left to test-all.
test: lint
	$(BIN)/python -m pytest -n auto

test-all: lint
	$(BIN)/python -m pytest -n auto -m "slow or not slow"

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

$(INSTALLED): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) $(QUICKSTART) build dist
