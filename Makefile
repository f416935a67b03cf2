# Two commands do everything on a fresh machine: `make demo` and `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READERS := .venv-readers
HAS_GPU := $(shell command -v nvidia-smi)
# Where there is a GPU, an environment of its own: the demonstration needs no CUDA.
DEMO_VENV := $(if $(HAS_GPU),.venv-demo,$(VENV))
WITH_TORCH := tests/engine tests/golden tests/bench tests/processes/test_demo_run.py
# Else every one of the many processes of a test run compiles what it imports.
unexport PYTHONDONTWRITEBYTECODE
.PHONY: demo test check suite engine cluster sim slow coverage reference readers install install-test dist bench clean

demo: $(DEMO_VENV)/installed
	$(DEMO_VENV)/bin/mllmaug-tui demo $(if $(HAS_GPU),--devices cpu)

# Side by side: the tests on a Ray cluster wait, most of the time. Not in one pytest: Ray ends a
# process that asked it and then hears nothing for a minute.
test: install-test check
	$(MAKE) --no-print-directory -j 4 suite engine cluster sim

# The tests on the cluster get the cores first when they need them: Ray gives up what is too slow.
BEHIND := nice -n 10

# By file, so that what a module's fixtures make is made once.
suite: install-test
	$(BEHIND) $(BIN)/python -m pytest -n 3 --dist loadfile $(WITH_TORCH:%=--ignore=%) \
		--ignore=tests/cluster --ignore=tests/sim/storm --ignore=tests/readers

# In one process, the only one that imports torch to collect its tests: that takes seconds.
engine: install-test
	$(BEHIND) $(BIN)/python -m pytest $(WITH_TORCH)

cluster: install-test
	$(BIN)/python -m pytest tests/cluster

# Two minutes of CPU time of simulated runs, the same schedules every time.
sim: install-test
	$(BEHIND) $(BIN)/python -m pytest -n 2 tests/sim/storm

# The pages that are made from the code; a test compares them.
reference: install-test
	PYTHONPATH=. $(BIN)/python -m cogapp -r docs/reference/*.md

# What takes long and is random: of each, `make test` runs a shorter form.
slow: install-test
	$(BIN)/python -m pytest -n 4 -m slow --ignore=tests/cluster
	$(BIN)/python -m pytest -n 4 -m hypothesis --hypothesis-profile=random --ignore=tests/cluster
	$(BIN)/python -m tests.faults.soak --minutes 5

# The programs that train on exports read them. Where their environment cannot be made, the tests
# are skipped and say why.
readers: install-test $(READERS)/installed
	$(BIN)/python -m pytest -rs tests/readers

# Never an error: what pip says of one is the reason for which the tests are skipped.
$(READERS)/installed: tests/readers/requirements.txt
	rm -rf $(READERS)
	$(PYTHON) -m venv $(READERS)
	$(READERS)/bin/python -m pip install --quiet -r $< 2> $(READERS)/pip.log && touch $@ || true

# In the path for the processes that tests start: they must find the plugin (`pyproject.toml`).
coverage: export PYTHONPATH := $(CURDIR)
coverage: install-test
	rm -f .coverage .coverage.*
	-$(BIN)/python -m coverage run -m pytest -n 4 --dist loadfile --ignore=tests/cluster \
		--ignore=tests/sim/storm --ignore=tests/readers
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report --skip-covered --show-missing

check: install-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

install: $(VENV)/installed
install-test: $(VENV)/installed-test

# Torch for CPUs has 200 MB; that of PyPI brings gigabytes of CUDA's libraries. Where its index cannot
# be reached, PyPI's is installed with the rest.
CPU_TORCH = -$(@D)/bin/python -m pip install --quiet --retries 1 --no-deps -c constraints.txt \
	--index-url https://download.pytorch.org/whl/cpu torch

%/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(@D)
	$(if $(and $(HAS_GPU),$(filter $(VENV),$(@D))),,$(CPU_TORCH))
	$(@D)/bin/python -m pip install --quiet -c constraints.txt -e .
	touch $@

%/installed-test: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(@D)
	$(if $(HAS_GPU),,$(CPU_TORCH))
	$(@D)/bin/python -m pip install --quiet -c constraints.txt -e '.[test,serving]'
	touch $@ $(@D)/installed

# A wheel and an sdist. What setuptools listed before would be packed once more.
dist: install-test
	rm -rf dist mllmaug_tui.egg-info
	$(BIN)/python -m build --no-isolation --quiet

bench: install-test
	$(BIN)/python -m tests.bench jobs
	$(BIN)/python -m tests.bench ui
	for bench in split merge export new status reshear; do $(BIN)/python -m tests.bench $$bench || exit 1; done

clean:
	rm -rf $(VENV) .venv-demo $(READERS) dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
