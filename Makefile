# The front door. `make` alone lists what there is.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
export PATH := $(BIN):$(PATH)
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export ANSIBLE_FORCE_COLOR ?= $(if $(MAKE_TERMOUT),1,0)

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(VENV)/.made: scripts/bootstrap requirements/bootstrap.txt requirements/control.txt app/pyproject.toml app/training/pyproject.toml
	@scripts/bootstrap $(VENV)
	@touch $@

.PHONY: venv
venv: $(VENV)/.made ## Make the control node's environment, .venv/

.PHONY: demo
demo: venv ## Turn a virtual Jetson into a speech service and transcribe with it
	@ansible-playbook -i inventory/virtual playbooks/virtual.yml
	@ansible-playbook -i inventory/virtual site.yml
	@scripts/show-smoke artifacts/smoke/*.json

.PHONY: test
test: lint unit integration molecule device ## Everything that CI runs

.PHONY: test-full
test-full: export TRIALS := 200
test-full: export MAIE_TEST_FULL := 1
test-full: test ## The same with more trials and more material

.PHONY: lint
lint: venv ## ruff, mypy, ansible-lint, and the locks against their sources
	ruff check .
	ruff format --check .
	mypy
	ansible-lint --offline
	scripts/lock --check

.PHONY: unit
unit: venv ## Tests that start no service
	@scripts/system-packages systemd:systemd-analyze
	pytest tests/unit tests/ansible -m "not device"

.PHONY: integration
integration: venv ## The service with real Redis, real worker and real engine on this machine
	@scripts/system-packages redis-server espeak-ng curl openssl
	pytest tests/integration tests/e2e tests/performance -m "not device"

.PHONY: molecule
molecule: venv ## The roles on virtual devices of their own: check, converge, idempotence, verify
	@scripts/system-packages curl
	molecule test --all $(if $(MAIE_TEST_FULL),,--exclude arm64)

.PHONY: device
device: venv ## What only a whole virtual device can show: dry run, kills, power cuts, bad releases, faults, flashing
	@scripts/system-packages curl openssh-client:ssh
	pytest tests -m device

.PHONY: bench
bench: venv ## What the service costs beyond the engine, and its memory
	@scripts/system-packages redis-server espeak-ng curl openssl
	pytest tests/performance -s

.PHONY: lock
lock: venv ## Make the lock files anew
	scripts/lock

.PHONY: clean
clean: ## Remove the virtual devices and all that was made here
	@if [ -x $(BIN)/ansible-playbook ]; then \
	  ansible-playbook -i inventory/virtual playbooks/virtual.yml -e virtual_host_state=absent; fi
	rm -rf $(VENV) .cache .secrets artifacts .mypy_cache .pytest_cache .ruff_cache .ansible
