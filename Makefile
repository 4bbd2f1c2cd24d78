# `make run` and `make test` do all the set-up on a machine that has only Python 3.11.
PYTHON ?= python3.11
BIN := .venv/bin
# What a target waits for; empty where the environment is given.
INSTALLED = .venv/.installed
DEMO := runs/demo
export TF_CPP_MIN_LOG_LEVEL ?= 3

.PHONY: install run test test-chaos test-arrivals test-stores test-compose bench check check-k8s check-docker deploy-files format lock clean \
	services services-all services-down secrets images

install: $(INSTALLED)

.venv/.installed: requirements.lock bootstrap.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r bootstrap.lock
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock bootstrap.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	$(BIN)/python -m shared.compiled
	touch $@

run: install
	$(BIN)/python -m landstream.demo $(DEMO)

# Starts real servers unless some are given; where Java, Maven or Go is absent, the tests that need them say so.
# Three at once on two cores: tests that wait for servers leave a quarter of them idle.
test: install
	test -n "$$LANDSTREAM_KAFKA" -a -n "$$LANDSTREAM_S3" || $(BIN)/python -m tools.servers up || test $$? -eq 4
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder

# What needs Kafka and the store first, alone: it measures how soon a stack is itself again.
test-chaos: install
	$(BIN)/pytest -m chaos tests/chaos/test_distributed.py tests/live --ignore tests/live/test_arrivals.py
	$(BIN)/pytest -m chaos -n 2 tests/chaos/test_kill.py tests/chaos/test_order.py tests/chaos/test_eight_weeks.py tests/landstream tests/services

# Whole seasons that come by themselves from servers that fail, killed over and over.
test-arrivals: install
	$(BIN)/pytest -m chaos tests/chaos/test_arrivals.py tests/live/test_arrivals.py

# Hot paths of full size against their peers; `make bench ONLY=olci` for one stage.
bench: install
	$(BIN)/python -m benchmarks $(if $(ONLY),--only $(ONLY))

# Further stores: SeaweedFS, and MinIO's own code in the JuiceFS gateway.
test-stores: services-all
	$(BIN)/pytest -m stores tests/live/test_stores.py

# The whole stack in containers, where a Docker engine answers: images, products by hand, a restart of the engine, arrivals.
test-compose: install
	$(BIN)/pytest -s -m compose tests/live/test_compose.py tests/live/test_compose_arrivals.py

# Real servers for the live tests, below .services; a first start needs java, mvn and go.
services: install
	$(BIN)/python -m tools.servers up

services-all: install
	$(BIN)/python -m tools.servers up --all

services-down: install
	$(BIN)/python -m tools.servers down

# Keys for `docker compose up`, in docker/secrets; those that are there are kept.
secrets:
	$(PYTHON) tools/make_secrets.py

# What the others begin with comes first. Packages come from where UV_DEFAULT_INDEX says, if it says so.
images:
	docker compose build common
	docker compose --profile demo build

# What compose, manifests, users and tables repeat of the services' declarations, and the pages of items and area files.
deploy-files: install
	$(BIN)/python -m tools.deploy_files
	$(BIN)/python -m tools.items_page
	$(BIN)/python -m tools.area_page

check: install check-k8s check-docker
	$(BIN)/python -m tools.deploy_files --check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict
	$(BIN)/lint-imports

# Both overlays and what monitoring adds, rendered and validated strictly; a first run builds kustomize, with go.
check-k8s: install
	$(BIN)/python -m tools.manifests.validate

check-docker: install
	$(BIN)/hadolint docker/*.Dockerfile
	@if docker compose version >/dev/null 2>&1; then docker compose config -q; \
	else echo "docker-compose.yml: not parsed, as Docker's compose is absent"; fi

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Rewrites the lock file; it names no registry.
lock: install
	$(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate \
		--python-version 3.11 --extra dev pyproject.toml --output-file requirements.lock

clean:
	rm -rf .venv runs .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
