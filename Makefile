# What there is to do with this project; `make` alone lists it.

# Reading a file is of GNU make 4.2; macOS comes with 3.81, to which this is nothing.
ifeq ($(file <$(firstword $(MAKEFILE_LIST))),)
$(error expected GNU make 4.2 or later but received $(MAKE_VERSION); on macOS: brew install make, and gmake for make)
endif

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules --no-print-directory
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
PIP := $(PY) -m pip --disable-pip-version-check install --quiet

# Debian's client has BuildKit built in; another that comes earlier on PATH may lack its plug-in.
DOCKER ?= $(firstword $(wildcard /usr/bin/docker) docker)
ARCH := $(subst aarch64,arm64,$(subst x86_64,amd64,$(shell uname -m)))
PLATFORM ?= linux/$(ARCH)
IMAGE ?= renditions:latest
EMULATOR := .cache/aws-lambda-rie-$(notdir $(PLATFORM))
# The emulator that the user has comes first; the one from PyPI is for who has none.
RIE ?= $(or $(wildcard $(HOME)/.aws-lambda-rie/aws-lambda-rie),$(EMULATOR))

# A file's tests stay in one process: they share its servers.
SPREAD := --numprocesses auto --dist loadfile
PYTEST := $(PY) -m pytest $(SPREAD)

# Tools that pin what this project pins otherwise have environments of their own.
SAM := .cache/sam/bin/sam
MINISTACK := .cache/ministack/bin/ministack
PIP_AUDIT := .cache/audit/bin/pip-audit
CDK := .cache/cdk/bin/python
CHECKOV := .cache/checkov/bin/checkov

# What `make lock-base` has pinned, if it has; Dockerfile names the tag.
BASE_LOCK := requirements/base.lock
BASE ?= $(file <$(BASE_LOCK))
BASE_TAG ?= debian:trixie-slim

# What the image says of itself; the time is the commit's, so that a build can be repeated.
LABEL = $(if $2,--label 'org.opencontainers.image.$1=$2')
LABELS = $(call LABEL,version,$(shell sed -n 's/^VERSION: Final = "\(.*\)"/\1/p' handler/release.py)) \
  $(call LABEL,revision,$(shell git describe --always --dirty --abbrev=40 --exclude '*' 2>/dev/null)) \
  $(call LABEL,created,$(shell git log -1 --format=%cI 2>/dev/null)) \
  $(call LABEL,source,$(SOURCE_URL)) \
  $(call LABEL,base.name,$(firstword $(subst @, ,$(or $(BASE),$(BASE_TAG))))) \
  $(call LABEL,base.digest,$(word 2,$(subst @, ,$(BASE))))

export DOCKER IMAGE RIE MINISTACK CDK CONFIRM
export RENDITIONS_IMAGE := $(IMAGE)

##@ Set-up

.PHONY: help
help: ## List what there is to make.
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: venv
venv: $(READY) ## Make the virtual environment from the locks.

$(READY): requirements/build.lock requirements/dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "$$($(PYTHON) --version) is too old: name a Python 3.11 or later with PYTHON=" >&2; exit 1; }
	@echo "preparing $(VENV) from requirements/dev.lock"
# Two packages may hold the same files (a fork and its origin), so that one cannot be removed beside
# the other: where a package is installed that no lock names, the environment is made again.
	@if $(PY) -m pip list --format=freeze --exclude-editable --exclude pip 2>/dev/null \
	  | cut -d= -f1 | tr 'A-Z._' 'a-z--' | grep -vxFf <(sed -n 's/==.*//p' $^); then \
	  echo "making $(VENV) again: the locks do not name the above"; rm -rf $(VENV); \
	fi
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) --require-hashes --requirement requirements/build.lock
# Nothing is built in isolation: that would fetch build tools that no lock names, and would let
# pyvips compile itself against a libvips of this machine instead of the one that is locked.
	@$(PIP) --require-hashes --no-build-isolation --requirement requirements/dev.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: lock
lock: $(READY) ## Renew the locks from pyproject.toml.
	$(eval LOCK := $(VENV)/bin/uv pip compile --quiet --upgrade --generate-hashes \
	  --no-emit-index-url --universal --custom-compile-command 'make lock')
	$(LOCK) --python-version 3.11 --group pyproject.toml:build --output-file requirements/build.lock
	$(LOCK) --python-version 3.13 pyproject.toml --output-file requirements/image.lock
	$(LOCK) --python-version 3.11 pyproject.toml --extra cli --group dev \
	  --output-file requirements/dev.lock
	$(LOCK) --python-version 3.11 --group pyproject.toml:bench --output-file requirements/bench.lock
	$(LOCK) --python-version 3.11 --no-deps requirements/emulator.in \
	  --output-file requirements/emulator.lock
	$(LOCK) --python-version 3.11 requirements/deploy.in --output-file requirements/deploy.lock
	$(LOCK) --python-version 3.11 requirements/stack.in --output-file requirements/stack.lock
	$(LOCK) --python-version 3.11 requirements/audit.in --output-file requirements/audit.lock
	$(LOCK) --python-version 3.11 requirements/cdk.in --output-file requirements/cdk.lock
	$(LOCK) --python-version 3.11 requirements/checkov.in --output-file requirements/checkov.lock

.PHONY: lock-base
lock-base: ## Pin the image's base by the digest that BASE_TAG has today, in requirements/base.lock.
	@$(DOCKER) pull --quiet $(BASE_TAG) >/dev/null
	@$(DOCKER) image inspect --format '{{index .RepoDigests 0}}' $(BASE_TAG) >$(BASE_LOCK).new
	@mv $(BASE_LOCK).new $(BASE_LOCK)
	@cat $(BASE_LOCK)

.PHONY: clean
clean: ## Remove everything that make made here.
	rm -rf $(VENV) .cache build out *.egg-info
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

##@ See it work

.PHONY: demo
demo: $(READY) ## Resize a photo through the real handler and an S3 server in the process (PHOTO=path).
	@$(PY) -m demo $(if $(PHOTO),--photo '$(PHOTO)')

.PHONY: rie
rie: $(READY) $(RIE) image ## Run the image under AWS's emulator beside an S3 server; prints the curl line.
	@$(PY) -m scripts.rie --image '$(IMAGE)' $(if $(PHOTO),--photo '$(PHOTO)')

##@ Measure it

BENCH := .cache/bench/bin/python

.PHONY: bench-cold
bench-cold: $(BENCH) $(READY) image ## Start the image beside the usual ways, cold and warm; wants root (RUNS=7; BESIDE=image prints only).
	@for way in python $(if $(BESIDE),,node); do \
	  DOCKER_BUILDKIT=1 $(DOCKER) build --quiet --tag renditions-cold-$$way:latest benchmarks/cold/$$way; \
	done
	@$(PY) -m benchmarks.cold $(if $(RUNS),--runs $(RUNS)) $(if $(BESIDE),--cpus 1 --beside '$(BESIDE)')
	@$(if $(BESIDE),:,$(PY) -m benchmarks.cold.report && $(BENCH) -m benchmarks.cold.plot && $(PY) -m benchmarks.readme)

.PHONY: bench
bench: $(BENCH) $(READY) ## Measure the pipeline beside its peers; table and plots in benchmarks/results.
	@if command -v npm >/dev/null; then cd benchmarks && npm ci --silent --no-audit --no-fund; fi
# As pip does with what it installs: some environments forbid Python to do it when it imports.
	@$(PY) -m compileall -q imaging benchmarks/*.py benchmarks/ways
	@$(PY) -m benchmarks $(PHOTOS) $(if $(RUNS),--runs $(RUNS))
	@$(PY) -m benchmarks.report
# It makes every photo.
	@$(if $(PHOTOS),:,$(PY) -m benchmarks.transfer)
	@$(BENCH) -m benchmarks.plots
	@$(PY) -m benchmarks.readme

.PHONY: bench-function
bench-function: $(READY) $(RIE) image ## Measure bucket to bucket, in the container, beside the usual way (RUNS=3, PHOTOS=, MEMORY=).
	@$(PY) -m benchmarks.bucket_to_bucket $(if $(RUNS),--runs $(RUNS)) \
	  $(if $(PHOTOS),--photos $(PHOTOS)) $(if $(MEMORY),--memory $(MEMORY))
	@$(PY) -m scripts.cost --write
	@$(PY) -m benchmarks.readme

.PHONY: bench-beside
bench-beside: $(READY) ## Measure this checkout's function beside another's, warm and first photo (BESIDE=folder, RUNS=20).
	@$(PY) -m compileall -q handler imaging '$(BESIDE)/handler' '$(BESIDE)/imaging'
	@$(PY) -m benchmarks.beside '$(or $(BESIDE),$(error name the other checkout: make bench-beside BESIDE=folder))' \
	  $(if $(RUNS),--runs $(RUNS))

.PHONY: bench-batch
bench-batch: $(READY) ## Measure photos side by side against one after the other, on two processors (RUNS=5).
	@$(PY) -m compileall -q handler imaging
	@$(PY) -m benchmarks.batch $(if $(RUNS),--runs $(RUNS))

.PHONY: soak
soak: $(READY) ## Invoke the function 2,000 times, and see that it stays lean; wants root (TIMES=2000).
	@$(PY) -m benchmarks.soak $(if $(TIMES),--times $(TIMES))

.PHONY: calibrate
calibrate: $(READY) ## Hold the plan's estimate of memory against what processes really take.
	@$(PY) -m benchmarks.calibration $(if $(MISSING),--missing)

.PHONY: refit
refit: $(READY) ## Fit PROCESS_BYTES to what calibrate measured, and hold the estimate against it.
	@$(PY) -m benchmarks.refit --write
	@$(PY) -m pytest -q tests/unit/test_memory.py

.PHONY: drawn-memory
drawn-memory: $(READY) ## Hold it against 300 cases drawn with SEED=, each through the wall.
	@MALLOC_ARENA_MAX=2 $(PY) -m benchmarks.drawn_memory $(if $(SEED),--seed $(SEED)) $(if $(COUNT),--count $(COUNT))

# thumbor and matplotlib: apart, so that neither is ever among what the function is tested with.
.PHONY: corpus
corpus: $(READY) ## Render every file of PHOTOS=folder here, by sharp and by Pillow; out/corpus has what differs.
	@cd benchmarks && npm ci --silent --no-audit --no-fund
	@$(PY) -m benchmarks.corpus $(PHOTOS)

.PHONY: side-by-side
side-by-side: $(READY) ## Which files sharp renders and which this project (PHOTOS=folder; synthesised without).
	@cd benchmarks && npm ci --silent --no-audit --no-fund
	@$(PY) -m benchmarks.side_by_side $(PHOTOS)

$(BENCH): requirements/bench.lock
	@$(PYTHON) -m venv .cache/bench
	@$(BENCH) -m pip --disable-pip-version-check install --quiet --require-hashes --requirement $<
	@touch $@

##@ Check it

.PHONY: test
test: lint lint-deploy types engine cdk ## Everything: lint, types, and all tests, those in containers included.
	@$(PYTEST)

.PHONY: lint
lint: $(READY) ## Check style, format and which package may import which.
	@$(VENV)/bin/ruff check
	@$(VENV)/bin/ruff format --check
	@$(VENV)/bin/lint-imports
	@$(VENV)/bin/cfn-lint deploy/template.yaml

.PHONY: lint-deploy
lint-deploy: $(READY) $(SAM) ## Check deploy/template.yaml with AWS's own tools.
	@$(VENV)/bin/cfn-lint deploy/template.yaml
# Named in full: sam takes AWS's region from it, and would else look for a profile.
	@SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=eu-west-1 $(SAM) validate --lint --template deploy/template.yaml

.PHONY: checkov
checkov: $(READY) $(CHECKOV) ## Hold deploy/template.yaml against Checkov's rules; what it does not follow has its reason there.
	@$(CHECKOV) --skip-download --quiet --compact --framework cloudformation --file deploy/template.yaml

.PHONY: terraform-check
terraform-check: ## Validate deploy/terraform, with the terraform and the provider that are found.
	@rm -rf build/terraform && mkdir -p build && cp -r deploy/terraform build/
	@cd build/terraform && terraform fmt -check && terraform init -backend=false -input=false >/dev/null \
	  && terraform validate

# Like the engine: without Node its tests are skipped, and say so, except in CI.
.PHONY: cdk
cdk: $(READY) ## Prepare what deploy/cdk is synthesised with; wants Node.
	@if command -v node >/dev/null; then \
	  $(MAKE) $(CDK); \
	elif [[ $${CI:-} == true ]]; then \
	  echo "there is no node, and in CI deploy/cdk must be synthesised" >&2; exit 1; \
	else \
	  echo "there is no node: deploy/cdk will not be synthesised"; \
	fi

.PHONY: config-check
config-check: $(READY) ## Check CONFIG=file before it is deployed: what changes, what becomes stale (STACK=, BUCKET=).
	@$(PY) -m handler.cli check '$(or $(CONFIG),$(error name the file: make config-check CONFIG=renditions.toml))' \
	  $(if $(STACK),--stack '$(STACK)') $(if $(BUCKET),--bucket '$(BUCKET)')

.PHONY: audit
audit: $(READY) $(PIP_AUDIT) ## Ask for known vulnerabilities of what the image holds.
	@$(PY) -m scripts.audit $(PIP_AUDIT) requirements/image.lock '$(IMAGE)'

.PHONY: types
types: $(READY) ## Check types.
	@$(VENV)/bin/mypy .

.PHONY: unit contract integration
unit: $(READY) ## Run the tests of single modules.
contract: $(READY) ## Run the suites that every source and sink must pass.
integration: $(READY) ## Run the tests against an S3 server over HTTP and TLS.
unit contract integration:
	@$(PYTEST) tests/$@

# The checkout is only read, so that the container's root leaves no file of its own in it.
.PHONY: unit-image
unit-image: ## Run the tests of single modules on the image's Python, in a container.
	DOCKER_BUILDKIT=1 $(DOCKER) build --quiet $(if $(BASE),--build-arg 'BASE=$(BASE)') \
	  --tag renditions-tests:latest --file tests/python/Dockerfile requirements
# A test looks for secrets in a worker's memory, which its own user may not read.
	$(DOCKER) run --rm --network none --cap-add SYS_PTRACE --env CI --volume '$(CURDIR):/renditions:ro' renditions-tests:latest \
	  $(SPREAD) -p no:cacheprovider tests/unit

# It takes longer than any test may.
.PHONY: backfill-trial
backfill-trial: $(READY) ## Interrupt a backfill of 100,000 photos twice (BACKFILL_KEYS=n for another number).
	@BACKFILL_KEYS='$(or $(BACKFILL_KEYS),100000)' $(PY) -m pytest -s -o faulthandler_timeout=0 \
	  -k interrupted_twice tests/integration/test_backfill.py

.PHONY: fuzz
fuzz: $(READY) ## Render mutated photos in processes that may die (MUTANTS=5000).
	@$(PY) -m tests.fuzz $(if $(MUTANTS),--mutants $(MUTANTS))

.PHONY: flips
flips: $(READY) ## Flip bits of photos of every layout, and look for flat areas (FLIPS=1000).
	@FLIPS='$(or $(FLIPS),1000)' $(PYTEST) tests/unit/test_flat.py

.PHONY: envelopes
envelopes: $(READY) ## Hand 20,000 mutated events to the function (COUNT=, SEED=).
	@AWS_ACCESS_KEY_ID=none AWS_SECRET_ACCESS_KEY=none AWS_DEFAULT_REGION=us-east-1 \
	  $(PY) -m tests.envelopes --count $(or $(COUNT),20000) --seed $(or $(SEED),1)

.PHONY: simulate
simulate: $(READY) ## A bad day at random: 10,000 steps of 200 photos (STEPS=, KEYS=, SEED=).
	@$(PY) -m tests.simulation --steps $(or $(STEPS),10000) --keys $(or $(KEYS),200) \
	  --seed $(or $(SEED),1)

.PHONY: model
model: $(READY) ## Try every order of a few requests for one photo, with the rule of the manifest.
	@$(PY) -m tests.model

.PHONY: container
container: $(READY) engine ## Run the tests of the built image under the emulator.
	@$(PYTEST) tests/container

.PHONY: gameday
gameday: $(READY) engine ## Break stacks on the emulator in twelve ways and follow the runbook; minutes.
	@GAMEDAY=1 $(PY) -m pytest -v tests/container/test_gameday.py

.PHONY: import-time
import-time: $(READY) image ## Print what the image imports until its first poll, and what that costs.
	@$(PY) -m scripts.imports '$(IMAGE)'

# The container tests need the image and the emulator. Without a Docker engine they are skipped, and
# say so, except in CI, where that would hide a broken image.
.PHONY: engine
engine: $(READY)
# macOS has no `timeout`, and a client may wait for an engine that is not there.
	@if $(PY) -c 'import subprocess, sys; subprocess.run(sys.argv[1:], check=True, timeout=20)' \
	  $(DOCKER) info >/dev/null 2>&1; then \
	  $(MAKE) $(RIE) $(MINISTACK) image; \
	elif [[ $${CI:-} == true ]]; then \
	  echo "no Docker engine answers, and in CI the container tests must run" >&2; exit 1; \
	else \
	  echo "no Docker engine answers: the container tests will not run"; \
	fi

##@ Ship it

.PHONY: image
image: ## Build the Lambda image (PLATFORM=linux/amd64 or linux/arm64, IMAGE=name:tag, BASE=image, HEVC=0 without HEIC, LIBDE265=stable).
# Lambda takes a single-platform manifest: an attestation would turn the push into an index.
	BUILDX_NO_DEFAULT_ATTESTATIONS=1 DOCKER_BUILDKIT=1 \
	  $(DOCKER) build --platform $(PLATFORM) $(if $(BASE),--build-arg 'BASE=$(BASE)') $(LABELS) \
	  $(if $(HEVC),--build-arg HEVC=$(HEVC)) \
	  $(if $(LIBDE265),--build-arg LIBDE265=$(LIBDE265)) --tag $(IMAGE) .

.PHONY: sbom
sbom: $(READY) image ## Write the image's bill of materials to build/sbom.cdx.json.
	@mkdir -p build
	@$(PY) -m scripts.inventory '$(IMAGE)' --output build/sbom.cdx.json
	@echo build/sbom.cdx.json

.PHONY: licences
licences: $(READY) image ## Write docs/licences.md from what is in the image.
	@$(PY) -m scripts.inventory '$(IMAGE)' --licences --output docs/licences.md

# A base that .ci/container-engine made for another processor, where no registry has one; $1 is it.
FOREIGN_BASE = $(if $(filter-out $(ARCH),$1),$(shell $(DOCKER) image inspect \
  --format '$(BASE_TAG)-$1' '$(BASE_TAG)-$1' 2>/dev/null))

.PHONY: image-arm64-check
image-arm64-check: $(READY) .cache/aws-lambda-rie-arm64 ## Build the image for arm64 and run it; 15 minutes and more under emulation.
	@$(MAKE) image PLATFORM=linux/arm64 IMAGE=renditions:arm64 BASE='$(or $(call FOREIGN_BASE,arm64),$(BASE))'
	@RENDITIONS_IMAGE=renditions:arm64 RIE=.cache/aws-lambda-rie-arm64 \
	  $(PY) -m pytest tests/container/test_function.py -k 'five_renditions or every_format'

PROCESSORS ?= amd64 arm64

.PHONY: release
release: $(READY) ## Check release VERSION=, build it for both processors (PROCESSORS=) into build/release, tag it.
	@$(PY) -m scripts.release check '$(or $(VERSION),$(error name the release: make release VERSION=1.0.0))'
	@rm -rf build/release
	@$(PY) -m pip --disable-pip-version-check wheel --quiet --no-deps --no-build-isolation \
	  --wheel-dir build/release .
	@$(MAKE) $(PROCESSORS:%=release-image-%)
	@$(PY) -m scripts.release describe '$(VERSION)' build/release/*
	@git tag --annotate 'v$(VERSION)' --message 'renditions $(VERSION)'
	@cat build/release/SHA256SUMS

.PHONY: release-image-amd64 release-image-arm64
release-image-amd64 release-image-arm64: release-image-%:
	@$(MAKE) image PLATFORM=linux/$* IMAGE='renditions:$(VERSION)-$*' \
	  BASE='$(or $(call FOREIGN_BASE,$*),$(BASE))'
	@$(DOCKER) save 'renditions:$(VERSION)-$*' | gzip -n >'build/release/renditions-$(VERSION)-$*.tar.gz'
	@$(PY) -m scripts.inventory 'renditions:$(VERSION)-$*' \
	  --output 'build/release/renditions-$(VERSION)-$*.cdx.json'

.PHONY: push
push: $(READY) $(if $(ECR),image) ## Push the image to ECR=<account>.dkr.ecr.<region>.amazonaws.com/<repo>.
	@$(PY) -m scripts.push '$(IMAGE)' '$(or $(ECR),$(error name the repository: make push ECR=<account>.dkr.ecr.<region>.amazonaws.com/<repo>))'

# AWS publishes the emulator for local tests inside its SAM command line; only that file is kept.
.cache/aws-lambda-rie-%: requirements/emulator.lock | $(READY)
	@mkdir -p .cache/wheels
	@$(PY) -m pip --disable-pip-version-check download --quiet --no-deps --require-hashes \
	  --requirement requirements/emulator.lock --dest .cache/wheels
	@$(PY) -m zipfile --extract .cache/wheels/aws_sam_cli-*.whl .cache/wheels
	@install -m 755 .cache/wheels/samcli/local/rapid/aws-lambda-rie-$(subst amd64,x86_64,$*) $@
	@rm -rf .cache/wheels

.PHONY: deploy
deploy: $(READY) ## Deploy STACK=name IMAGE_URI=<what make push printed> PARAMS='SourceBucket=... ...' (TAGS=, CONFIRM=1).
	@$(PY) -m scripts.deploy '$(or $(STACK),$(error name the stack: make deploy STACK=renditions))' \
	  $(if $(IMAGE_URI),'ImageUri=$(IMAGE_URI)') $(PARAMS) $(TAGS:%=--tag=%)

.PHONY: smoke
smoke: $(READY) ## Put a photo into the bucket of STACK=name, and check its renditions.
	@$(PY) -m scripts.smoke '$(or $(STACK),$(error name the stack: make smoke STACK=renditions))'

.PHONY: status
status: $(READY) ## Print what STACK=name is, which alarms ring, and the runbook's commands with its names in them.
	@$(PY) -m scripts.status '$(or $(STACK),$(error name the stack: make status STACK=renditions))'

.PHONY: redrive
redrive: $(READY) ## Send what is in the failure queue of STACK=name to the function again.
	@$(PY) -m scripts.redrive '$(or $(STACK),$(error name the stack: make redrive STACK=renditions))'

.PHONY: destroy
destroy: $(READY) ## Delete STACK=name; its buckets stay.
	@$(PY) -m scripts.deploy --destroy '$(or $(STACK),$(error name the stack: make destroy STACK=renditions))'

$(SAM): requirements/deploy.lock
$(MINISTACK): requirements/stack.lock
$(PIP_AUDIT): requirements/audit.lock
$(CDK): requirements/cdk.lock
$(CHECKOV): requirements/checkov.lock
$(SAM) $(MINISTACK) $(PIP_AUDIT) $(CDK) $(CHECKOV): | $(READY)
	@echo "preparing $@ from $<"
	@rm -rf $(patsubst %/bin,%,$(@D))
	@$(PYTHON) -m venv $(patsubst %/bin,%,$(@D))
	@$(VENV)/bin/uv pip install --quiet --require-hashes --python $(@D)/python --requirement $<
	@touch $@
