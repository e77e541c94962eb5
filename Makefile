# Every command that CI, a newcomer or a maintainer needs; `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin
# Python versions that `make test-all` looks for.
PYTHONS := python3.10 python3.11 python3.12 python3.13
# The Node clients, where there is Node; elsewhere their tests are skipped.
NODE := $(if $(shell command -v npm),tests/clients/node/node_modules)

# What fails beside others, on a busy machine, must hold alone: tests of time-outs do.
TOGETHER := -q -n 2 --dist loadfile
ALONE := -q --last-failed --last-failed-no-failures none
CLIENTS := tests/clients --ignore tests/clients/test_node.py

# The same examples each time; `make fuzz` looks for others.
FIXED := --hypothesis-profile ci

.DEFAULT_GOAL := help
.PHONY: help demo test test-all fuzz check clients coverage audit format schema lock wire record bench screenshot clean

help: ## What there is.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/run: requirements.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

.venv/test: requirements-test.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-test.txt
	@touch $@ .venv/run

.venv-clients/run: requirements-clients.txt
	@test -x .venv-clients/bin/python || $(PYTHON) -m venv .venv-clients
	.venv-clients/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-clients.txt
	@touch $@

tests/clients/node/node_modules: tests/clients/node/package-lock.json
	npm ci --prefix tests/clients/node --no-audit --no-fund --silent
	@touch $@

demo: .venv/run ## Simulator, gateway, judge and dashboard: ask six questions, see the scores move.
	$(BIN)/python runner.py demo $(KEEP)

test: .venv/test .venv-clients/run $(NODE) ## The whole suite, offline; then clients that want older libraries.
	$(BIN)/python -m pytest $(TOGETHER) $(FIXED) || $(BIN)/python -m pytest $(ALONE) $(FIXED)
	.venv-clients/bin/python -m pytest $(TOGETHER) $(CLIENTS) || .venv-clients/bin/python -m pytest $(ALONE) $(CLIENTS)

test-all: ## The suite on every Python from 3.10 to 3.13 that this machine has.
	scripts/test_all $(PYTHONS)

check: .venv/test ## Linter, formatter, types, cassettes, docs and schemas.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m scripts.check_cassettes

fuzz: .venv/test ## Property tests on new examples, others each time.
	$(BIN)/python -m pytest -q -n 2 -m hypothesis -p tests.fuzzing --hypothesis-profile fuzz

clients: .venv-clients/run tests/clients/node/node_modules ## The matrix of official clients and features; fails where one was not run.
	.venv-clients/bin/python -m tests.clients.matrix

coverage: .venv/test ## Branch coverage of what ships.
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m pytest -q
	$(BIN)/python -m coverage combine -q
	$(BIN)/python -m coverage report

audit: ## Known vulnerabilities of all that is locked; needs uv and PyPI's advisories, so no part of check.
	uvx pip-audit@2.10.1 --strict --require-hashes --disable-pip $(foreach lock,$(wildcard requirements*.txt),-r $(lock))

format: .venv/test ## Put the code in order.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schema: .venv/test ## Write the published schemas anew from the models.
	$(BIN)/python -m scripts.schemas

lock: ## Resolve all locks for every Python at once; needs uv.
	uv pip compile pyproject.toml --universal --python-version 3.10 --generate-hashes --no-strip-extras --extra s3 --extra redis --extra prices --extra dashboard --extra otel --no-emit-index-url --no-annotate --no-header --quiet -o requirements.txt
	uv pip compile pyproject.toml --universal --python-version 3.10 --generate-hashes --no-strip-extras --extra s3 --extra redis --extra prices --extra dashboard --extra aws --extra google --extra otel --group test --no-emit-index-url --no-annotate --no-header --quiet -o requirements-test.txt
	uv pip compile pyproject.toml --universal --python-version 3.10 --generate-hashes --no-strip-extras --group clients --no-emit-index-url --no-annotate --no-header --quiet -o requirements-clients.txt

wire: .venv/test ## How many cases of what an upstream may say there are; `pytest -m wire` runs them.
	@$(BIN)/python -m pytest -m wire --collect-only -q tests/upstream tests/gateway | tail -1

record: .venv/test ## Record the cassettes against the endpoints that MODEL_A_* etc. name.
	$(BIN)/python -m pytest -q tests/replay --record-mode=rewrite

bench: .venv/test ## The gateway beside its peers, to benchmarks/RESULTS.md; PARTS="matrix" for some; then its parts.
	$(BIN)/python -m benchmarks.peers $(PARTS)
	$(BIN)/python -m benchmarks.cache
	$(BIN)/python -m benchmarks.records
	$(BIN)/python -m benchmarks.upstream
	$(BIN)/python -m benchmarks.hosting
	$(BIN)/python -m benchmarks.resilience

screenshot: .venv/test ## Draw docs/images/dashboard.png anew; needs Chromium.
	$(BIN)/python -m scripts.screenshot

clean: ## Remove what was made here, but for records.
	rm -rf .venv .venv-clients tests/clients/node/node_modules .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage*
