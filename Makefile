# The front door. `make` alone lists what there is.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
export PATH := $(BIN):$(PATH)
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
# What runs on virtual hosts, the longest first. Each part has a network and hosts of its own.
HOSTS := $(if $(MAIE_TEST_FULL),device-vllm molecule-arm64 device-fleet) device-service molecule-docker device-bundle \
  molecule-build device-tune_faults molecule-default device-killed_builds molecule-tune device-flashing device-virtual_host
DEVICES := $(patsubst device-%,%,$(filter device-%,$(HOSTS)))
SCENARIOS := $(patsubst molecule-%,%,$(filter molecule-%,$(HOSTS)))
# Files of tests that share a device, or lie elsewhere; every other part is one of tests/e2e/device.
device_service := $(addprefix tests/e2e/device/test_,plays.py bad_releases.py recovery.py attacks.py)
device_virtual_host := tests/ansible/virtual_device/test_virtual_device_host.py
device_fleet := tests/performance/test_fleet.py

# Joined by this, parts run at the same time.
empty :=
together = $(subst $(empty) $(empty),+,$(strip $1))
SPREAD := --dist=loadfile --no-loadscope-reorder --numprocesses

export ANSIBLE_FORCE_COLOR ?= $(if $(MAKE_TERMOUT),1,0)
export PY_COLORS ?= $(ANSIBLE_FORCE_COLOR)

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(VENV)/.made: scripts/bootstrap requirements/bootstrap.txt requirements/control.txt app/pyproject.toml app/training/pyproject.toml
	@scripts/bootstrap $(VENV)
	@touch $@

.PHONY: venv
venv: $(VENV)/.made ## Make the control node's environment, .venv/

.PHONY: demo
demo: venv ## Turn a virtual Jetson into a speech service and transcribe with it
	@ansible-playbook -i inventory/virtual playbooks/virtual.yml
	@ansible-playbook -i inventory/virtual site.yml
	@# A device that is up to date is not tested again; without a result of an earlier test it is.
	@results=$$(ansible jetson:x86 -i inventory/virtual --list-hosts | sed -n 's|^ *\([^ ]*\)$$|artifacts/smoke/\1.json|p'); \
	  ls $$results >/dev/null 2>&1 || ansible-playbook -i inventory/virtual playbooks/smoke.yml; \
	  scripts/show-smoke $$results

# The models that the tests use, fetched once.
MODELS := $(foreach model,faster-whisper-base faster-whisper-tiny.en maie-llm-en-v2,models/$(model)/SHA256SUMS)
$(MODELS) &: app/src/maie/models/catalogue.json | venv
	@ansible-playbook -i inventory/virtual playbooks/models.yml \
	  -e '{"models_fetched": ["faster-whisper-base", "faster-whisper-tiny.en", "maie-llm-en-v2"]}'
	@touch $(MODELS)

.PHONY: test
test: venv ## Everything that CI runs: each part whatever became of the others, and how each ended
	@scripts/make-each lint unit integration performance engine $(call together,$(HOSTS)) $(if $(MAIE_TEST_FULL),python310)

.PHONY: test-full
test-full: export TRIALS := 200
test-full: export MAIE_TEST_FULL := 1
test-full: ## The same with more trials and more material, and under JetPack's Python
	@$(MAKE) --no-print-directory test

.PHONY: lint
lint: venv ## ruff, mypy, ansible-lint, and the locks against their sources
	@$(MAKE) --no-print-directory --jobs=2 --keep-going --output-sync=target lint-ansible lint-python lint-locks

.PHONY: lint-ansible
lint-ansible: venv
	ansible-lint --offline

.PHONY: lint-python
lint-python: venv
	ruff check .
	ruff format --check .
	mypy
	lint-imports --no-logo

.PHONY: lint-locks
lint-locks: venv
	scripts/lock --check

.PHONY: unit
unit: venv $(MODELS) ## Tests that start no service
	@scripts/system-packages openssl redis-server systemd:systemd-analyze
	pytest tests/unit tests/ansible -m "not device" $(SPREAD)=2

# What depends on Python and its libraries; kills and queues of tasks do so no more than these.
PYTHON310 := tests/unit $(addprefix tests/integration/test_,asr_backends.py cli.py engine_process.py formats.py \
  queue.py refusals.py retention.py worker.py)

.PHONY: python310
python310: venv $(MODELS) ## The tests of the service under Python 3.10, where there is one
	@scripts/system-packages redis-server espeak-ng curl openssl
	@scripts/test-python310 .cache/python310 $(PYTHON310)

.PHONY: integration
integration: venv $(MODELS) ## The service with real Redis, real worker and real engine on this machine
	@scripts/system-packages redis-server espeak-ng curl nodejs:node openssl strace
	@# Half of the time these wait, so three keep two processors busy.
	pytest tests/integration tests/e2e -m "not device" $(SPREAD)=3

.PHONY: performance
performance: venv $(MODELS) ## What is measured, and wants the machine for itself
	@scripts/system-packages redis-server espeak-ng
	pytest tests/performance -m "not device"

.PHONY: hosts
hosts: venv ## What runs on virtual hosts, two parts at a time; the output of each comes when it has ended
	@scripts/make-each engine $(call together,$(HOSTS))

.PHONY: engine
engine: venv $(MODELS)
	@scripts/system-packages curl openssh-client:ssh
	@ansible-playbook playbooks/docker_engine.yml
	@# All share one certificate authority, which two at once would make twice.
	@ansible localhost -i inventory/virtual -m ansible.builtin.include_role -a "name=certificate tasks_from=authority"

.PHONY: molecule
molecule: $(SCENARIOS:%=molecule-%) ## The roles on virtual devices of their own: check, converge, idempotence, verify

.PHONY: $(SCENARIOS:%=molecule-%)
$(SCENARIOS:%=molecule-%): molecule-%: venv $(MODELS)
	@scripts/system-packages curl
	molecule test --scenario-name $*

.PHONY: device
device: $(DEVICES:%=device-%) ## What only a whole virtual device can show: kills, bad releases, faults, flashing

.PHONY: $(DEVICES:%=device-%)
$(DEVICES:%=device-%): device-%: venv $(MODELS)
	@scripts/system-packages curl openssh-client:ssh
	pytest -m device $(or $(device_$*),tests/e2e/device/test_$*.py)

.PHONY: bench
bench: export MAIE_BENCH := 1
bench: venv $(MODELS) ## What the service costs beyond the engine, its memory, and eight devices beyond one
	@scripts/system-packages redis-server espeak-ng curl openssl
	pytest tests/performance -s

.PHONY: lock
lock: venv ## Make the lock files anew
	scripts/lock

.PHONY: clean
clean: ## Remove the virtual devices and all that was made here
	@if [ -x $(BIN)/ansible-playbook ]; then \
	  ansible-playbook -i inventory/virtual playbooks/virtual.yml -e virtual_host_state=absent; fi
	rm -rf $(VENV) .cache .secrets artifacts .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .ansible
