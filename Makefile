# Every target sets up .venv by itself and may be repeated: stamps say what is already installed.
# `pip install torch` takes the CPU build where pip finds one first; elsewhere name the index that has it:
#   make demo TORCH_INDEX=...

PYTHON ?= python3
TORCH := torch==2.13.0
TORCH_INDEX ?=
PIP := .venv/bin/python -m pip install --quiet --no-compile --disable-pip-version-check
RUN := .venv/bin/python
# What is installed has to have the bytes that the locked files name; torch alone may be a build of your own.
LOCKED := --require-hashes --no-deps
# Real CT for the tests that ask for it; empty, and those tests skip, where the folder is not there.
export LIDIA_REAL_CT ?= $(abspath $(wildcard ../shared/data))

.DEFAULT_GOAL := help
.PHONY: help demo bench bench-quick bench-flames study study-pages study-quick convergence convergence-pages convergence-quick label label-test browser browser-test ohif-test test zoo hub release wheel lock sbom audit lint clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.torch: | .venv/bin/python
	$(PIP) $(TORCH) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX))
	@touch $@

.venv/.runtime: requirements.lock .venv/.torch
	$(PIP) $(LOCKED) -r requirements.lock
	@touch $@

.venv/.dev: requirements.lock requirements-dev.lock .venv/.torch
	$(PIP) $(LOCKED) -r requirements.lock -r requirements-dev.lock
	@touch $@

# MONAI Label wants an older pydicom than the bundle. Torchvision for a torch with CUDA does not load beside a CPU
# torch: two operators that nobody calls have to be declared by hand there.
LABEL_PYTHON := .venv-label/bin/python
LABEL_PIP := $(LABEL_PYTHON) -m pip install --quiet --no-compile --disable-pip-version-check
.venv-label/.label: requirements-label.lock
	test -x $(LABEL_PYTHON) || $(PYTHON) -m venv .venv-label
	$(LABEL_PIP) $(TORCH) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX))
	$(LABEL_PIP) --no-deps torchvision==0.28.0 $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX))
	$(LABEL_PIP) $(LOCKED) -r requirements-label.lock
	@$(LABEL_PYTHON) -c 'import torchvision' 2> /dev/null || (cd .venv-label/lib/python3*/site-packages && \
		printf '%s\n' 'import torch' 'for op in ("nms", "qnms"):' '    torch.library.define(f"torchvision::{op}",' \
		'        "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")' > torchvision_ops.py && \
		echo 'import torchvision_ops' > torchvision_ops.pth)
	$(LABEL_PYTHON) -c 'import torchvision'
	@touch $@

CONFIGS := lidia_bundle/configs
EXPERIMENTS := experiments/configs
BUNDLE := $(RUN) -m monai.bundle run
LOG := --logging_file $(CONFIGS)/logging.conf
DEMO_SEED := 424242
# The first patient of the demo's test section
DEMO_ID := internal_$(DEMO_SEED)_00030

demo: .venv/.runtime  ## phantoms, a short training, evaluation, one patient, a page of pictures
	@rm -rf demo
	@printf '\n1/5 Phantom patients, from a seed that the shipped weights have never seen\n'
	$(BUNDLE) --config_file $(CONFIGS)/phantom.json --dataset_dir demo/data --cases 36 --seed $(DEMO_SEED) --workers 2 $(LOG)
	@printf '\n2/5 A short training from nothing: watch the loss\n'
	$(BUNDLE) training --config_file "['$(CONFIGS)/train.json','$(CONFIGS)/overlays/quick/fast.yaml']" \
		--dataset_dir demo/data --output_dir demo/training $(LOG)
	@printf '\n3/5 The shipped weights, judged on the 24 patients of the largest section; all are new to them\n'
	$(BUNDLE) evaluating --config_file $(CONFIGS)/evaluate.json \
		--dataset_dir demo/data --section training --output_dir demo/evaluation $(LOG)
	@printf '\n4/5 One patient by the files of their phases, then the others of the test section\n'
	$(BUNDLE) evaluating --config_file $(CONFIGS)/inference.json --output_dir demo/results $(LOG) \
		--nc demo/data/phases/$(DEMO_ID)/nc.nii.gz --arterial demo/data/phases/$(DEMO_ID)/arterial.nii.gz \
		--venous demo/data/$(DEMO_ID).nii.gz --delayed demo/data/phases/$(DEMO_ID)/delayed.nii.gz
	$(BUNDLE) evaluating --config_file $(CONFIGS)/inference.json --output_dir demo/results $(LOG) \
		--dataset_dir demo/data --skip_existing True
	@printf '\n5/5 The page\n'
	$(BUNDLE) --config_file $(CONFIGS)/report.json --results_dir demo/results --dataset_dir demo/data \
		--evaluation_dir demo/evaluation --training_dir demo/training --output_dir demo $(LOG)
	@printf '\nOpen this page in a browser:\n%s\n' '$(CURDIR)/demo/report.html'

STUDY := runs/study
study: .venv/.runtime  ## LIDIA and the baselines on two phantom cohorts: days; repeat it to go on
	@test -f $(STUDY)/data/internal/dataset.json || $(BUNDLE) --config_file $(CONFIGS)/phantom.json \
		--dataset_dir $(STUDY)/data/internal --cases 1921 --workers 2 $(LOG)
	@test -f $(STUDY)/data/external/dataset.json || $(BUNDLE) --config_file $(CONFIGS)/phantom.json \
		--dataset_dir $(STUDY)/data/external --cases 300 --cohort external --section test --workers 2 $(LOG)
	$(BUNDLE) --config_file $(EXPERIMENTS)/study.json --dataset_dir $(STUDY)/data/internal \
		--external_dir $(STUDY)/data/external --output_dir $(STUDY) $(LOG)

study-pages: .venv/.runtime  ## the study's page from what is finished so far
	$(BUNDLE) pages --config_file $(EXPERIMENTS)/study.json --output_dir $(STUDY) $(LOG)

QUICK := runs/study_quick
study-quick: .venv/.runtime  ## the same on a tiny cohort with few steps, in minutes: all tables, no meaning
	@test -f $(QUICK)/data/internal/dataset.json || $(BUNDLE) --config_file $(CONFIGS)/phantom.json \
		--dataset_dir $(QUICK)/data/internal --cases 72 --spacing "[4.0,4.0,4.0]" --workers 2 $(LOG)
	@test -f $(QUICK)/data/external/dataset.json || $(BUNDLE) --config_file $(CONFIGS)/phantom.json \
		--dataset_dir $(QUICK)/data/external --cases 12 --cohort external --section test --spacing "[4.0,4.0,4.0]" --workers 2 $(LOG)
	$(BUNDLE) --config_file "['$(EXPERIMENTS)/study.json','$(EXPERIMENTS)/study_quick.yaml']" \
		--dataset_dir $(QUICK)/data/internal --external_dir $(QUICK)/data/external --output_dir $(QUICK) $(LOG)
	@printf '\nThe page of the study:\n%s\n' '$(CURDIR)/$(QUICK)/study.md'

CONVERGENCE := runs/convergence
convergence: .venv/.runtime  ## LIDIA and the baselines trained until their curves are flat: days of one core; repeat it to go on
	@test -f $(STUDY)/data/internal/dataset.json || $(BUNDLE) --config_file $(CONFIGS)/phantom.json \
		--dataset_dir $(STUDY)/data/internal --cases 1921 --workers 2 $(LOG)
	@test -f $(STUDY)/data/external/dataset.json || $(BUNDLE) --config_file $(CONFIGS)/phantom.json \
		--dataset_dir $(STUDY)/data/external --cases 300 --cohort external --section test --workers 2 $(LOG)
	OMP_NUM_THREADS=1 $(BUNDLE) --config_file $(EXPERIMENTS)/convergence.json --dataset_dir $(STUDY)/data/internal \
		--external_dir $(STUDY)/data/external --output_dir $(CONVERGENCE) $(LOG)

convergence-pages: .venv/.runtime  ## the page of the study at convergence from what is finished so far
	$(BUNDLE) pages --config_file $(EXPERIMENTS)/convergence.json --output_dir $(CONVERGENCE) $(LOG)

convergence-quick: .venv/.runtime  ## the same on a tiny cohort with few steps, in minutes: all tables, no meaning
	@test -f $(QUICK)/data/internal/dataset.json || $(BUNDLE) --config_file $(CONFIGS)/phantom.json \
		--dataset_dir $(QUICK)/data/internal --cases 72 --spacing "[4.0,4.0,4.0]" --workers 2 $(LOG)
	@test -f $(QUICK)/data/external/dataset.json || $(BUNDLE) --config_file $(CONFIGS)/phantom.json \
		--dataset_dir $(QUICK)/data/external --cases 12 --cohort external --section test --spacing "[4.0,4.0,4.0]" --workers 2 $(LOG)
	OMP_NUM_THREADS=1 $(BUNDLE) --config_file "['$(EXPERIMENTS)/convergence.json','$(EXPERIMENTS)/convergence_quick.yaml']" \
		--dataset_dir $(QUICK)/data/internal --external_dir $(QUICK)/data/external \
		--output_dir $(CONVERGENCE)_quick $(LOG)
	@printf '\nThe page of the study at convergence:\n%s\n' '$(CURDIR)/$(CONVERGENCE)_quick/convergence.md'

BENCH := runs/bench
bench: .venv/.dev  ## what everything costs beside its peers: experiments/bench/performance.md, half an hour; repeat it to go on
	$(BUNDLE) --config_file $(EXPERIMENTS)/bench.json --output_dir $(BENCH) $(LOG)

bench-quick: .venv/.dev  ## the same in small, in minutes: all rows, no meaning
	$(BUNDLE) --config_file "['$(EXPERIMENTS)/bench.json','$(EXPERIMENTS)/bench_quick.yaml']" \
		--output_dir $(BENCH)_quick $(LOG)
	@printf '\nThe page of the benchmark:\n%s\n' '$(CURDIR)/$(BENCH)_quick/page/performance.md'

bench-flames: .venv/.dev  ## where the time of a patient and of a training epoch goes: two profiles
	$(BUNDLE) flames --config_file $(EXPERIMENTS)/bench.json --output_dir $(BENCH) $(LOG)

LABEL := runs/label
LABEL_PORT := 8000
label: .venv/.runtime .venv-label/.label  ## a MONAI Label server on four phantom patients, for 3D Slicer
	@test -f $(LABEL)/study/dataset.json || ($(BUNDLE) --config_file $(CONFIGS)/phantom.json \
		--dataset_dir $(LABEL)/study --cases 4 --seed 5 $(LOG) && mv $(LABEL)/study/labels $(LABEL)/truth)
	@cp -ru lidia_bundle $(LABEL)/
	@printf '\nThe server will answer at http://127.0.0.1:$(LABEL_PORT), in a minute or so. In 3D Slicer: module MONAI Label,\n'
	@printf 'that address as MONAI Label server, the arrow beside it, Next Sample, then Run under Auto Segmentation.\n'
	@printf 'What each button does, and OHIF: lidia_bundle/docs/label.md. True labels of the phantoms: $(LABEL)/truth/final\n\n'
	MONAI_LABEL_CORS_ORIGINS='["http://127.0.0.1"]' \
		$(LABEL_PYTHON) -m monailabel.main start_server --app $(LABEL)/lidia_bundle/scripts/lidia/label_app \
		--studies $(LABEL)/study --host 127.0.0.1 --port $(LABEL_PORT)

label-test: .venv/.dev .venv-label/.label  ## tests of the label server, minutes
	$(RUN) -m pytest -m label

# Locked packages, without their install scripts; the locked file names no registry.
NPM ?= npm
BROWSER := runs/browser
BROWSER_PORT := 8080
browser/node_modules/.installed: browser/package-lock.json
	cd browser && $(NPM) ci --no-fund --no-audit
	@touch $@

$(BROWSER)/lidia.onnx: lidia_bundle/models/model.pt $(CONFIGS)/inference.json | .venv/.dev
	$(BUNDLE) --config_file $(CONFIGS)/export.json --output $@ $(LOG)

$(BROWSER)/phantom/dataset.json: | .venv/.dev
	$(BUNDLE) --config_file $(CONFIGS)/phantom.json --dataset_dir $(BROWSER)/phantom --cases 4 --seed 5 --section test $(LOG)

browser: .venv/.dev browser/node_modules/.installed $(BROWSER)/lidia.onnx $(BROWSER)/phantom/dataset.json  ## a static page that examines a patient in the browser; needs Node.js 20
	PYTHONPATH=lidia_bundle $(RUN) browser/settings.py > $(BROWSER)/settings.json
	node browser/build.mjs $(BROWSER)/page $(BROWSER)/lidia.onnx $(BROWSER)/settings.json $(BROWSER)/phantom
	@printf '\nThe page, for any web server: %s\n' '$(CURDIR)/$(BROWSER)/page'
	@printf 'Try it: $(RUN) -m http.server --bind 127.0.0.1 --directory $(BROWSER)/page $(BROWSER_PORT), then http://127.0.0.1:$(BROWSER_PORT)/\n'

# Debian's packages, where a program is missing; elsewhere install it yourself.
INSTALL := apt-get install --yes --no-install-recommends
browser-test: browser  ## tests of that page in chromium, minutes
	command -v chromedriver > /dev/null || $(INSTALL) chromium chromium-driver
	$(RUN) -m pytest -m browser

ohif-test: .venv/.dev .venv-label/.label  ## tests of OHIF on a DICOMweb server (Orthanc) in chromium, minutes
	command -v chromedriver > /dev/null || $(INSTALL) chromium chromium-driver
	test -e /usr/share/orthanc/plugins/libOrthancDicomWeb.so || $(INSTALL) orthanc orthanc-dicomweb
	$(RUN) -m pytest -m ohif

test: .venv/.dev  ## the test suite, one process a core
	OMP_NUM_THREADS=1 $(RUN) -m pytest -n auto --dist loadfile --max-worker-restart 0 -m "not browser and not ohif"

zoo: .venv/.dev  ## the MONAI model zoo's own checks on the bundle
	$(RUN) -m pytest tests/zoo

HUB_REPO := OWNER/lidia_bundle
hub: .venv/.dev  ## the bundle as a folder for the Hugging Face Hub; HUB_REPO=OWNER/NAME
	@$(RUN) hub.py --repo $(HUB_REPO)

release: .venv/bin/python  ## the bundle as one zip for monai.bundle.download, and its SHA-256
	$(RUN) release.py

DIST := runs/dist
wheel: .venv/.dev  ## the package as a wheel, with the bundle and the command lidia
	$(RUN) -m hatchling build -t wheel -d $(DIST)
	@printf '\nThe wheel:\n'
	@ls $(CURDIR)/$(DIST)/*.whl

# The supply chain's own tools, which nothing else needs
.venv-supply/.supply: requirements-supply.txt
	test -x .venv-supply/bin/python || $(PYTHON) -m venv .venv-supply
	.venv-supply/bin/python -m pip install --quiet --no-compile --disable-pip-version-check -r requirements-supply.txt
	@touch $@

LOCK := .venv-supply/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-package torch
LOCKS := requirements.lock requirements-dev.lock requirements-label.lock
lock: .venv-supply/.supply  ## the locked files anew, after a change of requirements*.txt
	$(LOCK) requirements.txt --output-file requirements.lock
	$(LOCK) requirements-dev.txt --constraints requirements.lock --output-file requirements-dev.lock \
		$$(sed -nE 's/^([a-z0-9.-]+)==.*/--no-emit-package \1/p' requirements.lock | sort -u)
	$(LOCK) --no-deps requirements-label.txt --output-file requirements-label.lock

SBOM := runs/sbom.json
sbom: .venv/.runtime .venv-supply/.supply  ## a CycloneDX bill of the materials in .venv
	@mkdir -p $(dir $(SBOM))
	.venv-supply/bin/cyclonedx-py environment --output-reproducible --output-file $(SBOM) .venv/bin/python
	@printf '\nThe bill of materials:\n%s\n' '$(CURDIR)/$(SBOM)'

audit: .venv-supply/.supply  ## known vulnerabilities of what is locked, asked of a public database: needs the internet
	for lock in $(LOCKS); do .venv-supply/bin/pip-audit --strict --disable-pip --require-hashes -r $$lock || exit 1; done

lint: .venv/.dev  ## ruff, import-linter, mypy, vulture, deptry
	.venv/bin/ruff check .
	PYTHONPATH=lidia_bundle:. .venv/bin/lint-imports --no-cache
	MYPYPATH=lidia_bundle:. .venv/bin/mypy
	$(RUN) tests/config_names.py > .venv/whitelist.py
	.venv/bin/vulture lidia_bundle/scripts experiments .venv/whitelist.py
	.venv/bin/deptry .

clean:  ## remove what the targets made, .venv included
	rm -rf .venv .venv-label .venv-supply browser/node_modules demo runs .pytest_cache .ruff_cache .mypy_cache .import_linter_cache
	find lidia_bundle experiments tests -name __pycache__ -type d -prune -exec rm -rf {} +
