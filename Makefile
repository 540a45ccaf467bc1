# What a developer types. Each word brings what it needs; docs/operations.md has the
# words of the environment, and PORT=, HOST= and DATA= may stand behind run and serve.

.POSIX:
.SUFFIXES:

PYTHON_IN_VENV = .venv/bin/python

help:
	@echo 'make run     a demo on http://127.0.0.1:8000 (PORT=8001, DATA=dir)'
	@echo 'make serve   the same without demo data, for a small office'
	@echo 'make test    every test, on servers and a browser of their own'
	@echo 'make faults  a thousand rounds of each race, and more; takes long'
	@echo 'make lint    style and types'
	@echo 'make check   lint and test: what CI runs'
	@echo 'make docker-check  the Dockerfile, executed by buildah, and a page from it'
	@echo 'make pack    chat and dashboard as browsers fetch them, after a change in static/'
	@echo 'make shots   a picture of every screen in every look, in shots/'
	@echo 'make setup   what the others need (they ask for it themselves)'

setup:
	@.ci/setup dev

server:
	@.ci/setup server

run: server
	@exec $(PYTHON_IN_VENV) -m helpdesk run

serve: server
	@exec $(PYTHON_IN_VENV) -m helpdesk serve

test: setup
	@.ci/test

faults: setup
	@.ci/faults

lint: setup
	@.ci/lint

shots: setup
	@$(PYTHON_IN_VENV) -m pytest -q -n 2 -o python_files=shots.py tests/browser/shots.py

docker-check:
	@.ci/docker-check

pack: setup
	@.ci/pack

check: lint test

.PHONY: help setup server run serve test faults lint docker-check shots pack check
