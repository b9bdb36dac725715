# What a user and CI need: `make demo`, `make test`. Everything is set up in .venv on first use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= auto

.PHONY: demo test check lint types pytest images check-images clean

demo: $(VENV)/.run
	@$(BIN)/morello demo

test: check

check: lint types check-images pytest

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.dev
	$(BIN)/mypy

pytest: $(VENV)/.dev
	$(BIN)/pytest -q -n $(JOBS)

# Builds images/ from guest/ with the project's own compiler.
images: $(VENV)/.dev
	PATH="$(abspath $(BIN)):$$PATH" $(MAKE) --no-print-directory -C guest install

# The committed images are what guest/ gives, byte for byte.
check-images: $(VENV)/.dev
	PATH="$(abspath $(BIN)):$$PATH" $(MAKE) --no-print-directory -C guest check

clean:
	rm -rf $(VENV) guest/build

$(VENV)/.run: pyproject.toml
	@printf 'setting up $(VENV) ............ '
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check -e .
	@$(BIN)/python -m compileall -q emulator guest loader morello_isa && echo done
	@touch $@

$(VENV)/.dev: pyproject.toml $(VENV)/.run
	@$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@
