.DEFAULT_GOAL := help
SHELL := bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# GPU=1 takes the environment with faiss-gpu
LOCK := envs/dewpoint$(if $(GPU),-gpu).txt

# a study of studies/, for rehearse and plan
STUDY ?= quickstart
# the study of watch, report, verify, archive and compare: config.yaml's, if none is named
NAMED = $(if $(filter command environment,$(firstword $(origin STUDY))),studies/$(STUDY).yaml)

.PHONY: help setup quickstart ask only rehearse plan watch report verify archive compare publish test test-slurm fuzz lint \
    schema lock clean soak \
    bench-answers bench-bm25 bench-pairs bench-plan bench-prepare bench-pretrain bench-rerank bench-retriever bench-search bench-trust

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 24

setup: $(VENV)/.runtime ## the pinned environment in .venv (GPU=1: with faiss-gpu)

quickstart: setup ## the default study, from docstrings to a report
	$(BIN)/snakemake --cores all --config warm=true

ask: setup ## type a question, see what BM25 and the dense retriever find
	@$(BIN)/python scripts/ask.py

only: setup ## what has this name in a study, and what it is made from (TARGET=first STUDY=quickstart)
	$(BIN)/snakemake --cores all --config study=studies/$(STUDY).yaml only=[$(TARGET)]

rehearse: setup ## a study in minutes, on tiny files and models (STUDY=cocondenser; ONLY=table1,table3)
	$(BIN)/snakemake --cores all --config study=studies/$(STUDY).yaml rehearse=true $(if $(ONLY),only=[$(ONLY)])

plan: setup ## what a study will cost: jobs, GPU hours, disk (STUDY=cocondenser TERAFLOPS=125)
	@$(BIN)/python scripts/plan.py studies/$(STUDY).yaml $(if $(TERAFLOPS),--teraflops $(TERAFLOPS))

watch: setup ## how far a study is, while it runs, here or on a cluster (STUDY=quickstart)
	@$(BIN)/python scripts/watch.py $(NAMED)

report: setup ## a page of what is there of a study that is not finished (STUDY=quickstart)
	@$(BIN)/python scripts/unfinished.py $(NAMED)

verify: setup ## whether results are what was written (AGAINST=folder or archive: and equal to it; AGAIN=1: made anew)
	@$(BIN)/python scripts/verify.py $(NAMED) $(if $(AGAINST),--against "$(AGAINST)") $(if $(AGAIN),--again)

archive: setup ## results, data, study and code in one file (STUDY=quickstart TO=name.tar.zst WITHOUT="embeddings")
	@$(BIN)/python scripts/archive.py $(NAMED) $(if $(TO),--to "$(TO)") $(if $(WITHOUT),--without $(WITHOUT))

compare: setup ## figures of tables that moved, and what differs, of two results (WITH=folder or archive STUDY=quickstart)
	@$(BIN)/python scripts/side_by_side.py $(NAMED) $(if $(WITH),--with "$(WITH)")

publish: setup ## a model to a hub, its card with what was measured (MODEL=first TO=org/name STUDY=quickstart; DRY=1: only its folder)
	@$(BIN)/python scripts/publish.py "$(MODEL)" $(NAMED) $(if $(TO),--to "$(TO)") $(if $(DRY),--dry)

test: lint ## everything that can be checked on a laptop
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

test-slurm: $(VENV)/.development ## a study on a cluster of two nodes on localhost (as root, Debian's packages of SLURM)
	$(BIN)/python -m pytest tests/slurm

fuzz: $(VENV)/.development ## twenty times as many random mistakes in studies and files, other ones each time
	DEWPOINT_FUZZ=20 $(BIN)/python -m pytest tests/study/test_random_studies.py tests/data/test_random_files.py

lint: $(VENV)/.development ## ruff, snakefmt, snakemake --lint
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint

soak: setup ## a small study, killed at 200 random moments, against an undisturbed one (KILLS=20)
	$(BIN)/python benchmarks/soak.py $(if $(KILLS),--kills $(KILLS))

bench-pretrain: setup ## pre-training against a plain implementation (TEXT="files" FIELD=text: on your text)
	HF_HUB_OFFLINE=1 $(BIN)/python benchmarks/pretrain.py $(if $(TEXT),--text $(TEXT)) $(if $(FIELD),--field $(FIELD))

bench-retriever: setup ## retriever training against sentence-transformers (DATA=BEIR folder MODEL=folder: on yours)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r envs/rival.txt
	HF_HUB_OFFLINE=1 $(BIN)/python benchmarks/retriever.py $(if $(DATA),--data $(DATA)) $(if $(MODEL),--model $(MODEL))

bench-rerank: setup ## re-ranking against sentence-transformers (DATA=BEIR folder MODEL=folder: on yours)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r envs/rival.txt
	HF_HUB_OFFLINE=1 $(BIN)/python benchmarks/rerank.py $(if $(DATA),--data $(DATA)) $(if $(MODEL),--model $(MODEL))

bench-bm25: setup ## BM25 against bm25s and tantivy (TEXT=JSON lines QUERIES=JSON lines: on yours)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r envs/rival.txt
	$(BIN)/python benchmarks/bm25.py $(if $(TEXT),--text $(TEXT)) $(if $(QUERIES),--queries $(QUERIES))

bench-answers: setup ## looking for answers in passages (TEXT=JSON lines with paragraphs: on yours)
	$(BIN)/python benchmarks/answers.py $(if $(TEXT),--text $(TEXT))

bench-pairs: setup ## training on pairs by the million, from files to the first step (PAIRS=50000000)
	$(BIN)/python benchmarks/pairs.py $(if $(PAIRS),--pairs $(PAIRS))

bench-plan: setup ## seeing what is to be done, for 100, 300 and 1,000 jobs (PROFILE=1: and where our own time goes)
	$(BIN)/python benchmarks/plan.py $(if $(PROFILE),--profile)

bench-prepare: setup ## preparing at MS MARCO's size (PASSAGES=1000000)
	$(BIN)/python benchmarks/prepare.py $(if $(PASSAGES),--passages $(PASSAGES))

bench-search: setup ## encoding, search, mining, smaller vectors (TEXT="file" FIELD=text MODEL=folder: encoding yours; ONLY=small)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r envs/rival.txt
	HF_HUB_OFFLINE=1 $(BIN)/python benchmarks/search.py $(if $(TEXT),--text $(TEXT)) $(if $(FIELD),--field $(FIELD)) \
	    $(if $(MODEL),--model $(MODEL)) $(if $(ONLY),--only $(ONLY)) $(if $(VECTORS),--vectors $(VECTORS))

bench-trust: setup ## what it costs that artifacts can be trusted: manifests and checks, of a quickstart's time
	$(BIN)/python benchmarks/trust.py

schema: setup ## the JSON schemas of a study and of config.yaml, for editors, and the list of kinds
	$(BIN)/python scripts/schema.py study > docs/study.schema.json
	$(BIN)/python scripts/schema.py config > docs/config.schema.json
	$(BIN)/python scripts/kinds.py > docs/kinds.md

lock: ## pin the environments anew from envs/direct.txt
	envs/lock.sh

clean: ## remove results, prepared data and Snakemake's memory; .venv stays
	rm -rf results data .snakemake

$(VENV)/.runtime: $(LOCK)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $(LOCK)
	touch $@

$(VENV)/.development: envs/dev.txt $(VENV)/.runtime
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r envs/dev.txt
	touch $@
