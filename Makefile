# Funnelhooks. `make` alone lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules --no-print-directory

PYTHON ?= python3
STACK ?= funnelhooks

RUN := .venv/bin/python -m
TOOLS := .local/tools
UV_FOLDER := $(TOOLS)/uv-$(firstword $(shell cksum requirements/uv.txt))
UV := $(UV_FOLDER)/bin/uv
SAM := $(TOOLS)/sam/bin/python -m samcli
export SAM_CLI_TELEMETRY := 0
export UV_PYTHON_DOWNLOADS := never

# What the artefacts are built for. The local stack says `host`, whose Python then is MiniStack's.
FUNCTION_PYTHON ?= 3.13
FUNCTION_PLATFORM ?= aarch64-manylinux_2_28

.PHONY: help setup lock serve up down status logs demo test faults bench metrics openapi schema check format build deploy bootstrap clean \
	dependencies

help: ## List the targets
	@while IFS= read -r line; do \
		if [[ $$line =~ ^([a-z]+):.*'## '(.*)$$ ]]; then \
			printf '  make %-10s %s\n' "$${BASH_REMATCH[1]}" "$${BASH_REMATCH[2]}"; \
		fi; \
	done < Makefile

# ── Environments: each is made from its lock, and again when the lock has changed ────────────────────

setup: .venv/.stamp $(TOOLS)/sam/.stamp $(TOOLS)/ministack/.stamp ## Make .venv and the tools, each from its lock
	@:

SETUP_LOG := .local/setup.log
# A network that is down says so in one line; the rest is for whoever looks closer.
define install
@mkdir -p .local
@echo "Installing $< into $(@D) …"
@{ $(1); } >$(SETUP_LOG) 2>&1 || { \
	echo "$< could not be installed. If the package index cannot be reached, see to that and repeat the command; details: $(SETUP_LOG)" >&2; \
	exit 1; }
@touch $@
endef

define check_python
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	echo "Python 3.11 or newer is needed, and $(PYTHON) is not it. Name another one: make PYTHON=python3.13 …" >&2; exit 1; }
@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	echo "$(PYTHON) has no venv or pip module. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
endef

# Makes the folder $(1) by the commands $(2), which know it as $$new. Several processes may do this at the same time:
# each fills a folder of its own and moves it into place. A move cannot replace a folder that is not empty, so the
# first process wins, and the others delete what they have made.
in_place = [ -d $(1) ] || ( \
	mkdir -p $(dir $(1)) && own=$$(mktemp -d $(dir $(1))new.XXXXXX) && trap 'rm -rf "$$own"' EXIT && \
	new="$$own/$(notdir $(1))" && { { $(2) && mv "$$new" $(dir $(1)) 2>/dev/null; } || [ -d $(1) ]; } )

# A broken environment, or one of a Python that is gone, is made anew.
sync = { $(@D)/bin/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear --without-pip $(@D); } && \
	$(UV) pip sync --require-hashes --python $(@D)/bin/python $<

$(UV_FOLDER)/.stamp: requirements/uv.txt
	$(check_python)
	$(call install,$(call in_place,$(@D),$(PYTHON) -m venv "$$new" && \
		"$$new/bin/python" -m pip install --disable-pip-version-check --require-hashes -r $<))

.venv/.stamp: requirements/dev.txt | $(UV_FOLDER)/.stamp
	$(call install,$(sync))

$(TOOLS)/sam/.stamp: requirements/sam.txt | $(UV_FOLDER)/.stamp
	$(call install,$(sync))

$(TOOLS)/ministack/.stamp: requirements/ministack.txt | $(UV_FOLDER)/.stamp
	$(call install,$(sync))

lock: $(UV_FOLDER)/.stamp ## Compile requirements/*.in into their locks (newer versions: LOCK=--upgrade)
	@for input in requirements/*.in; do \
		echo "$$input → $${input%.in}.txt"; \
		$(UV) pip compile --quiet $(LOCK) --universal --python-version 3.11 --generate-hashes --no-header \
			--no-emit-index-url "$$input" -o "$${input%.in}.txt"; \
	done

# ── The platform as one program on this machine ──────────────────────────────────────────────────────

SERVE = $(if $(DATA),--data "$(DATA)") $(if $(HOST),--host "$(HOST)") $(if $(PORT),--port "$(PORT)") \
	$(if $(METRICS_PORT),--metrics-port "$(METRICS_PORT)") $(foreach one,$(PARAMETERS),--parameter "$(one)")

serve: .venv/.stamp ## Run the platform as one program: make serve DATA=folder PORT=n HOST= PARAMETERS="Name=Value …"
	@exec $(RUN) shared.standalone $(SERVE)

# ── The stack on this machine ────────────────────────────────────────────────────────────────────────

up: setup ## Start the local stack, or bring a running one up to date
	@$(RUN) tests.local.stack up

down: ## Stop what runs here; the local stack forgets its data
	@if [ -x .venv/bin/python ]; then $(RUN) tests.local.standalone; $(RUN) tests.local.stack down; \
		else echo "Nothing is running."; fi

status: setup ## Say whether the local stack runs, and where
	@$(RUN) tests.local.stack status

logs: setup ## Print what the local functions have logged
	@$(RUN) tests.local.stack logs

ON = standalone
demo: $(if $(filter ministack,$(ON)),up,.venv/.stamp) ## Run the main job on real input (on the deployed template: ON=ministack)
	@$(RUN) tests.local.demo $(ON)

# ── Quality ──────────────────────────────────────────────────────────────────────────────────────────

check: setup ## Lint, format, types, template
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(RUN) mypy
	@$(RUN) mypy --python-version 3.13 functions shared
	@$(TOOLS)/sam/bin/python $(TOOLS)/sam/bin/cfn-lint template.yaml
	@AWS_DEFAULT_REGION=us-east-1 $(SAM) validate --lint

format: .venv/.stamp ## Format the code and mend what the linter can
	@$(RUN) ruff check --fix .
	@$(RUN) ruff format .

# Two processes wait for their stacks most of the time; the others run what needs none, a file at a time.
WORKERS = $(shell echo $$(($$(nproc 2>/dev/null || sysctl -n hw.ncpu) + 2)))

openapi: .venv/.stamp ## Write shared/web/openapi.json from the declared operations
	@$(RUN) tests.local.openapi

schema: .venv/.stamp ## Write the JSON Schema of the payload contract from its models
	@$(RUN) tests.local.schema

faults: .venv/.stamp ## Fault runs at length: 100,000 events, figures into docs/reliability.md
	@$(RUN) tests.faults

bench: setup ## Every figure of docs/performance.md, about half an hour; some of them: make bench ROWS="warm cost"
	@$(RUN) tests.benchmarks $(ROWS)

metrics: .venv/.stamp ## How the code is built: files on the way of one event, imports that run up, sizes, names
	@$(RUN) tests.local.metrics

test: check ## All checks and all tests; a local stack of their own serves the stack tests
	@FUNNELHOOKS_STATE=.local/test $(RUN) pytest -n $(WORKERS) --no-loadscope-reorder tests/

# ── Artefacts: every function ships the same folder, so imports read the same everywhere ─────────────

# By far the largest dependency. The functions that check events against schemas have it from a layer.
IN_LAYER := jsonschema_rs*
# Utilities of Powertools that nothing we import ever imports, which a test proves.
LEFT_OUT := $(addprefix aws_lambda_powertools/utilities/,auth_alpha circuit_breaker feature_flags \
	idempotency kafka parameters parser)

# Bytecode halves a cold start, and only a Python of the target's version can make it. It is started to find out,
# because a command of that name may be a shim that leads nowhere.
COMPILER = $(shell for python in $(TOOLS)/ministack/bin/python$(FUNCTION_PYTHON) \
	$(UV_FOLDER)/bin/python$(FUNCTION_PYTHON) python$(FUNCTION_PYTHON); do \
	"$$python" -c "" 2>/dev/null && echo "$$python" && break; done)

# The files' times change on the way to Lambda, so the bytecode must not be checked against them.
compile = { python="$(COMPILER)"; [ -z "$$python" ] || \
	"$$python" -m compileall -q --invalidation-mode unchecked-hash -s "$(1)" -p /var/task $(2); }

ifeq ($(FUNCTION_PLATFORM),host)
TARGET := --python $(TOOLS)/ministack/bin/python
else
TARGET := --python $(UV_FOLDER)/bin/python --python-version $(FUNCTION_PYTHON) --python-platform $(FUNCTION_PLATFORM)
endif

# Installed once for all functions, keyed by what it is made from.
DEPENDENCIES = .local/dependencies/$(FUNCTION_PYTHON)-$(FUNCTION_PLATFORM)-$(if $(COMPILER),bytecode,source)-$(firstword $(shell cksum requirements/runtime.txt))

dependencies: $(UV_FOLDER)/.stamp
	@$(call in_place,$(DEPENDENCIES), \
		$(UV) pip install --quiet --target "$$new" $(TARGET) --only-binary :all: \
			--require-hashes -r requirements/runtime.txt && \
		rm -rf "$$new/bin" "$$new/.lock" && $(call compile,$$new,"$$new"))

# `sam build` calls these with ARTIFACTS_DIR set, also where nothing has been set up: once for the layer, then once
# for each function, in parallel.
build-SchemaLayer: dependencies
	@mkdir -p "$(ARTIFACTS_DIR)/python"
	@cp -R "$(DEPENDENCIES)/"$(IN_LAYER) "$(ARTIFACTS_DIR)/python"

# Copied file by file: a copy of the folders could fail while some Python writes its bytecode into them.
build-%: dependencies
	@cp -R "$(DEPENDENCIES)/." "$(ARTIFACTS_DIR)"
	@cd "$(ARTIFACTS_DIR)" && rm -r $(IN_LAYER) $(LEFT_OUT)
	@find functions shared \( -name __pycache__ -o -path shared/cli -o -path shared/standalone \) -prune -o -type f -print | \
		tar -cf - -T - | tar -xf - -C "$(ARTIFACTS_DIR)"
	@$(call compile,$(ARTIFACTS_DIR),"$(ARTIFACTS_DIR)/functions" "$(ARTIFACTS_DIR)/shared")

# ── AWS ──────────────────────────────────────────────────────────────────────────────────────────────

build: $(TOOLS)/sam/.stamp dependencies ## Build the artefacts for AWS
	@[ -n "$(COMPILER)" ] || echo "There is no python$(FUNCTION_PYTHON) here: the artefacts go without bytecode, and cold starts take longer."
	@env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS $(SAM) build

# The answers go into a file of yours, not into the repository's defaults.
deploy: build ## Deploy to your AWS account, with questions
	@[ -f samconfig.local.toml ] || cp samconfig.toml samconfig.local.toml
	@$(SAM) deploy --guided --stack-name $(STACK) --config-file "$(CURDIR)/samconfig.local.toml"

bootstrap: .venv/.stamp ## Make the first workspace and key of a deployed stack: make bootstrap STACK=name
	@$(RUN) shared.cli bootstrap --stack $(STACK)

clean: down ## Remove everything that was made here: environments, tools, artefacts
	@for state in .local/test*; do FUNNELHOOKS_STATE=$$state $(MAKE) down; done
	@rm -rf .venv .local .aws-sam .mypy_cache .pytest_cache .ruff_cache .hypothesis
