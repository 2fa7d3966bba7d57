# Everything a user or developer types. `make help` explains.
PYTHON ?= python3
PY := .venv/bin/python
export PYTHONPATH := .:layers/client:layers/core
# Most commands start several processes, each of which would compile everything that it imports.
unexport PYTHONDONTWRITEBYTECODE

TENANT ?= default
STACK ?= batchyard
WALKS ?= 1000

GOALS := help setup run up status prove provider bridge key budget provider-key providers unit test conformance lint pytest bench compat faults lock prices docs format
SETTINGS := PYTHON INPUT OUT PROVIDER_BASE_URL PROVIDER_API_KEY PROVIDERS PROVIDER MODEL BUCKET ROLE YES JSON DRY_RUN MAX_COST_USD BRIDGE_PORT TABLE TENANT BUDGET_USD ADMIN LIST REVOKE STACK SECRET WEBHOOK CHAT BENCH FILES TOOLS LINES WALKS
.PHONY: $(GOALS)

# A misspelt word must not run anything, least of all the sample in place of the user's file.
quote = '$(subst ','\'',$(1))'
STRANGE := $(filter-out $(GOALS),$(MAKECMDGOALS))
GIVEN := $(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),$(name)))
UNKNOWN := $(filter-out $(SETTINGS) BATCHYARD_% AWS_%,$(GIVEN))
ifneq ($(STRANGE)$(UNKNOWN),)
$(shell $(PYTHON) local/words.py $(call quote,$(STRANGE)) $(call quote,$(GOALS)) $(call quote,$(SETTINGS)) \
  $(foreach name,$(UNKNOWN) $(filter INPUT,$(GIVEN)),$(call quote,$(name)=$(value $(name)))))
$(error Nothing was run)
endif
# $(call given,INPUT,--input) is the option with the value as it was typed, or nothing if no value was given
given = $(if $(filter undefined,$(origin $(1))),,$(2) $(call quote,$(value $(1))))

help: ## show the commands and every setting
	@if $(PYTHON) local/bootstrap.py --ready; then $(PY) -m local.help; else $(PYTHON) -m local.commands; fi

setup: ## prepare the environment, once; every other command does so by itself
	@trap '' INT; exec $(PYTHON) local/bootstrap.py

run: setup ## one batch, end to end, on this machine
	@$(PY) -m local run $(call given,INPUT,--input) $(call given,OUT,--out)

up: setup ## the whole stack until Ctrl-C
	@$(PY) -m local up

status: setup ## the batches of the stack that is up here, or of BATCHYARD_URL and BATCHYARD_KEY
	@$(PY) -m local status

prove: setup ## a small paid run at your provider that shows what of its facts holds, its price said first: PROVIDER=… (of PROVIDERS, or a profile) MODEL=…; for Amazon Bedrock BUCKET=… ROLE=…; YES=1 spends unasked, JSON=1
	@$(PY) -m local.prove $(call given,PROVIDER,--provider) $(call given,MODEL,--model) $(call given,BUCKET,--bucket) $(call given,ROLE,--role) $(call given,YES,--yes) $(call given,JSON,--json)

provider: setup ## the provider emulator alone
	@$(PY) -m local.emulator --prices layers/core/batchyard/costs/prices.json

bridge: setup ## the whole API on 127.0.0.1, for tools that send every file by POST /v1/files: BATCHYARD_URL=… BATCHYARD_KEY=… in the environment; BRIDGE_PORT=…
	@$(PY) -m local.bridge

key: setup ## an API key for the HTTP API: TABLE=… (of the stack) TENANT=default BUDGET_USD=… (a month); ADMIN=1 lets it make others of its tenant; LIST=1 shows all, REVOKE=… ends one
	@$(PY) -m batchyard.api.api_keys "$(TABLE)" $(if $(REVOKE),--revoke "$(REVOKE)",$(if $(LIST),--list,"$(TENANT)" $(if $(ADMIN),--admin) $(call given,BUDGET_USD,--budget)))

budget: setup ## what a tenant may spend in a month: TABLE=… TENANT=default BUDGET_USD=… (none removes it)
	@$(PY) -m batchyard.api.api_keys "$(TABLE)" --budget "$(TENANT)" "$(BUDGET_USD)"

provider-key: setup ## store the provider's API key in the stack, unseen or from a pipe: STACK=batchyard or SECRET=…; WEBHOOK=1 its webhooks' secret, CHAT=1 the address of a chat
	@$(PY) -m local.provider_key "$(STACK)" "$(SECRET)" $(if $(WEBHOOK),--webhook,$(if $(CHAT),--chat))

providers: setup ## store the keys of several providers in the stack: PROVIDERS=providers.json, or from a pipe; STACK=batchyard or SECRET=…; LIST=1 shows their names
	@$(PY) -m local.providers "$(STACK)" "$(SECRET)" $(if $(LIST),--list)

lint: setup ## every static check
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy
	@.venv/bin/cfn-lint template.yaml

test: setup ## every static check and every test; CONFORMANCE=no leaves out those on DynamoDB Local
	@$(MAKE) --no-print-directory --jobs 2 lint pytest

unit: setup ## the unit tests alone: no socket, no AWS, under a minute
	@$(PY) -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder tests/unit

conformance: setup ## the tests of the stores on Amazon's DynamoDB Local instead of moto; needs Java 17, npm and Linux
	@$(PY) -m tests.conformance -n auto --maxprocesses 4 tests/integration/batchyard

pytest: setup # the first run in a clone compiles all modules once, beside mypy, in place of once in each worker;
	@# the tests call make themselves, and are not its children in this; they wait for half of their time, so two workers a core
	@test -d tests/__pycache__ || $(PY) -m pytest --collect-only -qq > /dev/null || :
	@env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL $(PY) -m pytest -n $$($(PY) -c "import os; print(min(6, 2 * (os.cpu_count() or 1)))") --dist loadfile --no-loadscope-reorder

format: setup
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .

lock: setup ## resolve all extras together, then cut each layer's requirements from that
	@.venv/bin/uv pip compile -q --universal --generate-hashes --all-extras --python-version 3.11 \
	  --custom-compile-command "make lock" -o requirements.lock pyproject.toml
	@for layer in client core; do \
	  .venv/bin/uv pip compile -q --universal --generate-hashes --extra $$layer -c requirements.lock --python-version 3.11 \
	    --custom-compile-command "make lock" -o layers/$$layer/requirements.txt pyproject.toml; done

prices: setup ## the price list of the installed genai-prices, for estimates
	@$(PY) -m local.prices

docs: setup ## docs/settings.md from template.yaml, and the facts of docs/providers.md
	@$(PY) -m local.settings_page && $(PY) -m local.providers_page

bench: setup ## the benchmarks, as ratios; BENCH="upload plan" picks some, BENCH=fleet or gather FILES=200 puts files into make up
	@$(PY) -m tests.benchmarks $(BENCH) $(if $(FILES),--files "$(FILES)")

compat: setup ## a short job with each tool that others wrote, in environments of their own; TOOLS="litellm curator" picks some, LINES=200
	@$(PY) -m tests.compat $(if $(LINES),--lines "$(LINES)") $(TOOLS)

faults: setup ## the fault suite at length: WALKS=1000 random walks, a fault at every single effect (half an hour or more)
	@EVERY_EFFECT=1 WALKS="$(WALKS)" $(PY) -m pytest tests/faults tests/integration/batchyard
