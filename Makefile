# Two commands: `make report` and `make test`. Needs Python 3.11 or newer, make and a C compiler; the rest is made here, in .venv/.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.complete

.PHONY: report test lint environment
report: $(STAMP)
	$(BIN)/snakemake --cores all --rerun-incomplete --keep-going results/report.md

test: $(STAMP) lint
	$(BIN)/python -m pytest -n auto --dist loadgroup

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile
	$(BIN)/python workflow/lint.py

environment: $(STAMP)

# constraints.txt pins every package; the stamp is written last, so that an interrupted installation is done again
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and f"error: Python 3.11 or newer is needed, found {sys.version.split()[0]}; make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[test]"
	touch $@
