# The commands of this repository. `make demo` and `make test` set up what is missing.
PYTHON ?= python3
VENV := .venv
DATA ?=

.PHONY: setup demo test lint clean

setup:  ## make .venv: Python packages, ROS 2 where none is sourced, this package
	@$(PYTHON) tools/set_up.py

demo: setup  ## a drive through the four nodes; on real frames with DATA=<folder of CamVid>
	$(VENV)/bin/semcom demo $(if $(DATA),--data camvid:$(DATA)) $(if $(DASHBOARD),--dashboard $(DASHBOARD))

test: setup  ## by two processes
	$(VENV)/bin/python -m pytest -n 2 --dist loadgroup

lint: setup  ## style, layout and types; the tools are those of requirements/python.txt
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

clean:  ## remove what the commands above made
	rm -rf $(VENV) out build install log .pytest_cache .ruff_cache .mypy_cache .hypothesis *.egg-info
