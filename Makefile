# Every target installs what it needs; only Python 3.11 or newer with venv and pip must exist.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SETUP := $(VENV)/.set-up
READ := .venv-read
SITE := .venv-docs
WITH_TORCH := .venv-torch
# PyTorch's CPU build is enough; to install another one, set TORCH='torch==… …'.
TORCH ?= torch==2.13.0

TORCH_TESTS = tests/torch tests/labels tests/reading/test_frameworks.py

# The published type-2 runtime for the AppImage: RUNTIME=FILE, or the file
# packaging/appimage/runtime-x86_64. Without either, our own is used.
export RUNTIME ?=
APPIMAGE = dist/rico-hdl-$(shell sed -n 's/^__version__ = "\(.*\)"$$/\1/p' src/rico_hdl/_version.py)-x86_64.AppImage

# For `make soak` and `make fuzz`: MINUTES=5 sets a time budget, SEED=… repeats a failure.
MINUTES ?=
SEED ?=

.PHONY: help setup demo check test soak fuzz coverage test-torch lint types docs site bench bench-read \
  bench-ablation bench-memory dist image appimage artefacts release lock clean

help:
	@echo "make demo     convert, verify and read a small sample"
	@echo "make check    check style and types, and run the fast tests: about a minute"
	@echo "make test     run the tests"
	@echo "make soak     run the long rounds: kills, readers, flipped bits (MINUTES=... for a budget)"
	@echo "make fuzz     run the random tests with fresh seeds (MINUTES=... for a budget)"
	@echo "make coverage measure which lines and branches the tests run"
	@echo "make test-torch  run the tests that need PyTorch, which it installs"
	@echo "make lint     check style and formatting"
	@echo "make types    check types"
	@echo "make docs     check the documents, run their code, build their site"
	@echo "make site     build the documentation site in build/site"
	@echo "make bench    measure conversion (BENCH=... for options)"
	@echo "make bench-read  measure reading from many formats (BENCH=... for options)"
	@echo "make bench-memory  measure the peak memory of conversions (BENCH=... for options)"
	@echo "make bench-ablation  measure the ways to copy that reading could have (BENCH=...)"
	@echo "make dist     build the wheel and the sdist"
	@echo "make image    build the container image"
	@echo "make appimage build and check one file that runs on any x86-64 Linux (RUNTIME=FILE)"
	@echo "make artefacts  build and check everything that users install (ONLY=... for some)"
	@echo "make release  prepare a release (VERSION=x.y.z; RELEASE=--dry-run to try it)"
	@echo "make lock     resolve the dependencies again"
	@echo "make clean    remove everything that the other targets made"

setup: $(SETUP)

$(SETUP): requirements/dev.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "rico-hdl needs Python 3.11 or newer: make PYTHON=python3.11 …")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

demo: $(SETUP)
	$(BIN)/python examples/demo.py demo

test: $(SETUP)
	$(BIN)/python -m pytest --numprocesses auto $(TEST)

check: lint types
	$(BIN)/python -m pytest --quiet --numprocesses auto --fast $(TEST)

soak: $(SETUP)
	$(BIN)/python -m pytest --numprocesses auto -m soak --hypothesis-profile=fuzz \
	  --hypothesis-seed=$(or $(SEED),$(shell od -An -N4 -tu4 /dev/urandom | tr -d ' ')) \
	  $(if $(MINUTES),--minutes=$(MINUTES)) $(TEST)

fuzz: $(SETUP)
	$(BIN)/python -m tests.fuzz --numprocesses auto $(if $(MINUTES),--minutes=$(MINUTES)) \
	  $(if $(SEED),--seed=$(SEED)) $(TEST)

# The report is made even if a test fails; the lines that it did not reach are missing.
coverage: $(SETUP) $(WITH_TORCH)/.set-up
	rm -rf build/coverage && mkdir -p build/coverage
	-$(BIN)/coverage run -m pytest --quiet --numprocesses auto
	-$(WITH_TORCH)/bin/coverage run -m pytest --quiet --numprocesses auto $(TORCH_TESTS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

# In an environment of its own: PyTorch is large, and `make types` must work without it.
test-torch: $(WITH_TORCH)/.set-up
	$(WITH_TORCH)/bin/python -m pytest --numprocesses auto $(TORCH_TESTS) $(TEST)

$(WITH_TORCH)/.set-up: requirements/dev.txt requirements/torch.txt pyproject.toml
	$(PYTHON) -m venv $(WITH_TORCH)
	$(WITH_TORCH)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/dev.txt
	$(WITH_TORCH)/bin/python -m pip install --quiet --disable-pip-version-check $(TORCH)
	$(WITH_TORCH)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement requirements/torch.txt
	$(WITH_TORCH)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

lint: $(SETUP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

# In a separate call, because mypy would take scripts of the same name for one module.
types: $(SETUP)
	$(BIN)/mypy
	$(BIN)/mypy $(wildcard packaging/appimage/*.py)

docs: $(SETUP) site
	$(BIN)/python -m pytest --quiet tests/project/test_readme.py tests/project/test_*docs.py tests/torch/test_docs.py tests/datasets/test_pages.py tests/project/test_*guides.py tests/project/test_site.py

site: $(SITE)/.set-up
	NO_MKDOCS_2_WARNING=1 PYTHONPATH=src $(SITE)/bin/python -m mkdocs build
	@echo "the site is in build/site: open build/site/index.html"

# In an environment of its own: `make test` does not need mkdocs.
$(SITE)/.set-up: requirements/docs.txt
	$(PYTHON) -m venv $(SITE)
	$(SITE)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/docs.txt
	touch $@

bench: $(SETUP)
	$(BIN)/python benchmarks/bench.py $(BENCH)

bench-memory: $(SETUP)
	$(BIN)/python benchmarks/memory.py $(BENCH)

bench-ablation: $(SETUP)
	$(BIN)/python benchmarks/ablation_read.py $(BENCH)

# In an environment of its own: the formats' libraries would change the result of `make types`.
bench-read: $(READ)/.set-up
	$(READ)/bin/python benchmarks/bench_read.py $(BENCH)

$(READ)/.set-up: requirements/dev.txt requirements/bench-read.txt pyproject.toml
	$(PYTHON) -m venv $(READ)
	$(READ)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/dev.txt
	$(READ)/bin/python -m pip install --quiet --disable-pip-version-check $(TORCH)
	$(READ)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement requirements/bench-read.txt
	$(READ)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

dist: $(SETUP)
	$(BIN)/python packaging/dist.py

image: $(SETUP) dist
	$(BIN)/python packaging/image.py

# Needs the packages listed in packaging/appimage/packages.txt.
appimage: $(SETUP)
	$(BIN)/python packaging/appimage/build.py --output $(APPIMAGE)
	$(BIN)/python packaging/appimage/check.py $(APPIMAGE)

artefacts: $(SETUP)
	$(BIN)/python packaging/artefacts.py $(ONLY)

release: $(SETUP)
	$(BIN)/python packaging/release.py $(VERSION) $(RELEASE)

# Hashes without addresses: the files install the same from any mirror of the package index.
LOCK := $(BIN)/uv pip compile pyproject.toml --upgrade --quiet --generate-hashes \
  --no-header --no-annotate --no-emit-index-url --no-emit-find-links
ANY := --universal --python-version 3.11
# Users install the same releases that the tests ran with.
AS_TESTED := $(ANY) --constraint requirements/dev.txt

lock: $(SETUP)
	$(LOCK) $(ANY) --group dev --output-file requirements/dev.txt
	$(LOCK) $(ANY) --group docs --output-file requirements/docs.txt
	$(LOCK) $(AS_TESTED) --output-file requirements/runtime.txt
	$(LOCK) $(AS_TESTED) --extra gdal --extra geo --output-file requirements/runtime-extras.txt
	$(LOCK) --python-version 3.11 --resolution lowest-direct --only-binary :all: \
	  --extra gdal --output-file requirements/lowest.txt

clean:
	rm -rf $(VENV) $(READ) $(SITE) $(WITH_TORCH) demo build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
