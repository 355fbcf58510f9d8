# Targets: env (virtual environment), test (checks and the whole suite), check (lint, types, import contracts),
# annotate-demo (the annotation page on the packaged video), demo (track two instruments in a synthetic video, results under out/demo/), gpu-check (does this
# machine's GPU compute what its CPU computes?), bench (frames per second beside other codes), clean.
#
# Variables: PYTHON (an interpreter, 3.11 or later), VENV (where the environment goes), TORCH (the PyTorch requirement
# that pip installs before everything else: a version or the path of a wheel; empty keeps the one already in VENV).

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done)
VENV   ?= .venv
TORCH  ?= torch==2.13.0

BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help annotate-demo env test check demo gpu-check bench clean

help:
	@echo "make env     build $(VENV) (once; again when pyproject.toml changes)"
	@echo "make test    lint, types, import contracts, and the whole test suite"
	@echo "make check   lint, types and import contracts only"
	@echo "make gpu-check  compare this machine's GPU with its CPU, in about a minute"
	@echo "make bench   frames per second, beside transformers and, with BENCH_ARGS='--sam2 PATH', Meta's sam2"
	@echo "make annotate-demo  open the annotation page on the packaged video"
	@echo "make demo    track two instruments in a short synthetic surgical video, into out/demo/"

env: $(STAMP)

# Rebuilt only when pyproject.toml changes. The stamp is written last, so that an interrupted build starts again.
$(STAMP): pyproject.toml
	@test -n "$(PYTHON)" || { echo "sam2s needs Python 3.11 or later and found none on the path:" \
		"install it, or name one with make env PYTHON=/path/to/python3.11" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "sam2s needs Python 3.11 or later, and '$(PYTHON)' is not one:" \
		"name another with make env PYTHON=/path/to/python3.11" >&2; exit 2; }
	@echo "building the environment in $(VENV) (some minutes the first time)"
	@rm -f $(STAMP)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(if $(strip $(TORCH)),$(BIN)/python -m pip install --quiet '$(TORCH)')
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $(STAMP)

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@if command -v tsc >/dev/null; then tsc -p src/sam2s/annotate/page/jsconfig.json; \
		else echo "no tsc (npm install --global typescript): the page's types are not checked"; fi

test: check
	$(BIN)/python -m pytest

annotate-demo: $(STAMP)
	$(BIN)/sam2s annotate src/sam2s/commands/demo_clip/scene.mp4 --project out/annotate-demo

demo: $(STAMP)
	$(BIN)/sam2s demo --out out/demo

# Needs no environment of ours: any Python with torch, NumPy, SciPy, Pillow and safetensors will do, such as
# make gpu-check GPU_PYTHON=python3 on a rented machine.
GPU_PYTHON ?= $(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON))
gpu-check:
	PYTHONPATH=src $(GPU_PYTHON) scripts/gpu_check.py

# A small table on a CPU (some minutes), the full one on a card; BENCH_ARGS goes to benchmarks/speed.py, which says what
# it takes. BENCH_PYTHON=python3 runs it without an environment of ours, as GPU_PYTHON does above. Threads sleep while
# they wait, as in the command line.
BENCH_PYTHON ?=
BENCH_ARGS ?=
bench: $(if $(BENCH_PYTHON),,$(STAMP))
	OMP_WAIT_POLICY=$${OMP_WAIT_POLICY:-PASSIVE} PYTHONPATH=src \
		$(or $(BENCH_PYTHON),$(BIN)/python) benchmarks/speed.py $(BENCH_ARGS)

clean:
	rm -rf $(VENV) out/demo out/annotate-demo out/annotate-story .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
