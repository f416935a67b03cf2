# Two commands do everything on a fresh machine: `make demo` and `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
.PHONY: demo test check install install-test bench clean

demo: install
	$(BIN)/mllmaug-tui demo

test: install-test check
	$(BIN)/python -m pytest -n 3 --ignore=tests/cluster
	$(BIN)/python -m pytest tests/cluster

check: install-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

install: $(VENV)/installed
install-test: $(VENV)/installed-test

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e .
	touch $@

$(VENV)/installed-test: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[test,serving]'
	touch $@ $(VENV)/installed

bench: install-test
	$(BIN)/python -m tests.bench jobs
	$(BIN)/python -m tests.bench ui
	for bench in split merge export new status reshear; do $(BIN)/python -m tests.bench $$bench || exit 1; done

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
