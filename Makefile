# make run    install what is needed and serve the app (PORT=7860)
# make test   install what tests need and run all checks
# make lint   formatting, lint and types alone
# make format rewrite the code in its standard format

PORT ?= 7860
PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test lint format clean

run: .venv/run
	$(BIN)/python app.py --port $(PORT)

test: .venv/test lint
	$$(ls .venv/lib/python*/site-packages/playwright/driver/node) --test tests/js/*.test.mjs
	$(BIN)/python -m pytest

lint: .venv/test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	tsc -p jsconfig.json

format: .venv/test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.venv/run: requirements.txt packages.txt
	tools/system-packages $$(cat packages.txt)
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --disable-pip-version-check -r requirements.txt
	touch $@

.venv/test: .venv/run requirements-test.txt requirements-train.txt
	$(BIN)/pip install --disable-pip-version-check -r requirements-test.txt
	tools/system-packages chromium node-typescript
	command -v chromium >/dev/null || $(BIN)/playwright install --with-deps chromium
	touch $@

clean:
	rm -rf .venv galleries
