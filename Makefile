# make run     install the app's packages and serve it (PORT=7860); PHOTOS=open also fetches
#              openly licensed photos while the app runs
# make photos  fetch openly licensed photos into a folder (OUT=photos); CONTACT=you@example.org
#              also asks Wikimedia Commons
# make test    install the tests' packages and run all checks
# make lint    check formatting, lint and types only
# make format  format the code, and fix what lint can fix
# make space   build and run the app as Hugging Face Spaces would
# make audit   look up the pinned packages among known vulnerabilities
# make lock    pin all packages by hash in requirements.lock
# make fuzz    test with broken and hostile input, SECONDS=600 for each kind
# make clean   delete .venv and galleries

PORT ?= 7860
OUT ?= photos
SECONDS ?= 600
PYTHON ?= python3
BIN := .venv/bin
# Annoy's setup would compile for this machine's processor only. These flags are for any.
export ANNOY_COMPILER_ARGS := -O3,-ffast-math,-fno-associative-math,-fpermissive,-std=c++14,-DANNOYLIB_MULTITHREADED_BUILD

.PHONY: run photos test lint format space audit lock fuzz clean

run: .venv/run
	$(BIN)/python app.py --port $(PORT) $(if $(filter open,$(PHOTOS)),--open-photos)

photos: .venv/run
	$(BIN)/python -m train download photos --out $(OUT) $(if $(CONTACT),--contact $(CONTACT))

test: .venv/test lint
	$$(ls .venv/lib/python*/site-packages/playwright/driver/node) --test tests/js/*.test.mjs
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

lint: .venv/test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	tsc -p jsconfig.json

format: .venv/test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

space:
	$(PYTHON) tools/space.py

audit: .venv/test
	$(BIN)/pip-audit --strict --require-hashes --disable-pip -r requirements.lock

lock: .venv/test
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
		--no-header --no-emit-index-url requirements-serve.txt -o requirements.lock

fuzz: .venv/test
	for target in images strokes manifest; do \
		$(BIN)/python -m tools.fuzz $$target --seconds $(SECONDS) || exit 1; done

.venv/run: requirements-serve.txt packages.txt
	tools/system-packages $$(cat packages.txt)
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --disable-pip-version-check -r requirements-serve.txt
	touch $@

.venv/test: .venv/run requirements-test.txt requirements-train.txt requirements-milvus.txt \
		requirements.txt
	tools/system-packages chromium node-typescript webkit2gtk-driver xvfb nginx-light caddy \
		qemu-user & \
	$(BIN)/pip install --disable-pip-version-check -r requirements-test.txt; \
	installed=$$?; wait; exit $$installed
	command -v chromium >/dev/null || $(BIN)/playwright install --with-deps chromium
	touch $@

clean:
	rm -rf .venv galleries
