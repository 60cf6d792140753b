# Everything a person or a machine does here, one word each. `make` alone lists the words.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --no-input --quiet
LOCKED := $(PIP) install --require-hashes --only-binary :all:
IMAGE  ?= dgdr-operator:dev

.PHONY: help
help:  ## list what there is to do
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 13

.PHONY: demo
demo: $(VENV)/run.stamp  ## plan the example of the README and write its DynamoGraphDeployment to ./demo/
	$(BIN)/dgdr optimize --model Qwen/Qwen3-32B-FP8 --system h200_sxm --total-gpus 8 --backend vllm --backend-version 0.12.0 \
	    --isl 4000 --osl 500 --ttft 600 --itl 16.67 --save-dir demo
	@echo; echo "The DynamoGraphDeployment and what it rests on:"; find demo -type f | sort | sed 's/^/  /'

.PHONY: test
test: $(VENV)/test.stamp  ## run every test that needs no cluster and no patience
	$(BIN)/python -m pytest tests -m "not scale"

.PHONY: fuzz
fuzz: $(VENV)/test.stamp  ## ask a hundred thousand random requests, and what else takes hours
	$(BIN)/python -m pytest tests -m scale --ignore=tests/cluster/chaos --ignore=tests/cluster/promises

.PHONY: soak
soak: $(VENV)/test.stamp  ## the long forms of chaos and promises, on a real control plane (build it with make e2e)
	$(BIN)/python -m pytest tests/cluster/chaos tests/cluster/promises -m scale --control-plane=real

.PHONY: check
check: $(VENV)/test.stamp  ## format, lint, types, walls between the rooms, and the quick tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests -q -m "not real and not chaos and not scale and not chart"

.PHONY: e2e
e2e: $(VENV)/test.stamp  ## build a real control plane (needs Go) and run the controller against it
	$(BIN)/python e2e/controlplane/build.py
	$(BIN)/python -m e2e.helm
	$(BIN)/python -m pytest tests/cluster/conformance tests/cluster/promises tests/cluster/chaos -m "not scale" --control-plane=real
	$(BIN)/python -m pytest e2e -m "not node"

.PHONY: e2e-cluster
e2e-cluster: $(VENV)/test.stamp  ## install the chart on a node of our own and run real pods (needs Go, root, and Debian packages that it names)
	$(BIN)/python -m e2e.node.tools
	$(BIN)/python e2e/controlplane/build.py --node
	$(BIN)/python -m e2e.helm
	$(BIN)/python -m pytest e2e/node -rs

.PHONY: bench
bench: $(VENV)/test.stamp  ## how fast a search is
	$(BIN)/python -m pytest benchmarks

.PHONY: bench-controller
bench-controller: $(VENV)/test.stamp  ## how fast the controller is, and what it costs: 1,000 requests at once, one life, a leader's death, 5,000 standing, ten minutes at rest
	$(BIN)/python e2e/controlplane/build.py
	$(BIN)/python -m e2e.helm
	PYTHONPATH=operator:. $(BIN)/python -m benchmarks.controller
	PYTHONPATH=operator:. $(BIN)/python -m benchmarks.living
	PYTHONPATH=operator:. $(BIN)/python -m benchmarks.standing --rest 600
	PYTHONPATH=operator:. $(BIN)/python -m benchmarks.starting

.PHONY: matrix
matrix: $(VENV)/run.stamp  ## write docs/support-matrix.md: how well each model, system and engine is measured
	$(BIN)/dgdr support --matrix > docs/support-matrix.tmp
	mv docs/support-matrix.tmp docs/support-matrix.md

.PHONY: accuracy
accuracy: $(VENV)/run.stamp  ## write docs/accuracy.md from the stored calibration (dgdr calibrate stores a new one)
	$(BIN)/dgdr calibrate --page > docs/accuracy.tmp
	mv docs/accuracy.tmp docs/accuracy.md

.PHONY: lock
lock: $(VENV)/dev.stamp  ## write requirements/*.txt from pyproject.toml (UPGRADE=--upgrade looks for newer versions)
	$(BIN)/python requirements/lock.py $(UPGRADE)

.PHONY: wheel
wheel: $(VENV)/dev.stamp  ## build the wheel into ./dist/
	$(BIN)/python -m build --wheel --no-isolation

.PHONY: image
image: $(VENV)/test.stamp  ## build the container image with Docker, or buildah where Docker does not answer; BASE=... picks a base
	@if docker info >/dev/null 2>&1; then \
	    docker build $(if $(BASE),--build-arg BASE=$(BASE)) --build-arg REVISION=$$(git rev-parse HEAD) --tag $(IMAGE) .; \
	else \
	    $(BIN)/python -m e2e.node.image --tag $(IMAGE) $(if $(BASE),--base $(BASE)); \
	fi

.PHONY: chart
chart: $(VENV)/test.stamp  ## build Helm (needs Go), then lint, render and test the chart
	$(BIN)/python -m e2e.helm
	$(BIN)/python -m pytest tests/chart

.PHONY: chart-docs
chart-docs: $(VENV)/test.stamp  ## write the chart's schema, README and copies from values.yaml and crds/
	$(BIN)/python -m charts.write

.PHONY: venv
venv: $(VENV)/test.stamp  ## make .venv, with all that tests need

.PHONY: clean
clean:  ## remove what was built, .venv included; the cache of control planes stays
	rm -rf $(VENV) demo dist build .hypothesis .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .grimp_cache .benchmarks

# --- the virtual environment: each stamp stands for one lock file, installed ---

$(BIN)/python:
	@python=$$(for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	    $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done); \
	test -n "$$python" || { echo "Python 3.11 or newer is needed, and none was found on the path" >&2; exit 1; }; \
	$$python -m venv $(VENV) || { echo "$$python has no venv module: on Debian and Ubuntu, apt-get install python3-venv" >&2; exit 1; }

$(VENV)/run.stamp: requirements/run.txt requirements/build.txt pyproject.toml | $(BIN)/python
	$(LOCKED) -r requirements/run.txt -r requirements/build.txt
	$(PIP) install --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/test.stamp: requirements/test.txt $(VENV)/run.stamp
	$(LOCKED) -r requirements/test.txt
	@touch $@

$(VENV)/dev.stamp: requirements/dev.txt $(VENV)/test.stamp
	$(LOCKED) -r requirements/dev.txt
	@touch $@
