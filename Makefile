# Every target sets up what it needs: Debian packages (as root), a virtual environment, the native build. See `make help`.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh

# Debian's own Python: one from elsewhere may lack what its venv needs.
PYTHON ?= /usr/bin/python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := build/stamps
JOBS ?= $(shell nproc)
TESTS ?= tests

NATIVE_FILES = $(shell find native CMakeLists.txt tests/native tests/e2e -type f -not -name '*.py' -not -name '*.pyc')
PYTHON_FILES = pyproject.toml $(shell find core operator device_plugin node_agent -type f -not -path '*/native/*' -not -name '*.pyc')
CXX_FILES = $(shell find native tests/native tests/e2e -type f '(' -name '*.cpp' -o -name '*.h' -o -name '*.hip' ')' \
              -not -path '*/generated/*' -not -name '*_generated.h')
# hipcc's sources need a compilation database that knows HIP.
TIDY_FILES = $(filter-out %.hip.cpp,$(filter %.cpp,$(CXX_FILES)))

help: ## Shows this list.
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | while IFS='	' read -r target text; do \
	  printf '  make %-12s %s\n' "$$target" "$$text"; done

demo: native ## Profiles, plans and runs two mixes on an emulated MI50, and writes a report with plots.
	$(BIN)/python -m eclip.report.demo

cluster: $(STAMPS)/venv $(STAMPS)/cluster-packages ## Starts a Kubernetes cluster of two nodes on this machine and prints its KUBECONFIG (as root).
	@PYTHONPATH=tests/cluster $(BIN)/python -m kube up

demo-cluster: $(STAMPS)/image-context $(STAMPS)/cluster-packages ## Installs ECLIP on such a cluster, with four programs on two emulated GPUs, and shows them.
	@PYTHONPATH=tests/cluster $(BIN)/python -m kube demo

cluster-down: $(STAMPS)/venv ## Removes all clusters that `make cluster` started, and everything in them.
	@PYTHONPATH=tests/cluster $(BIN)/python -m kube down

test: $(STAMPS)/packages $(STAMPS)/cluster-packages ## Runs every check and test there is, and closes with a line for each stage.
	+@tools/run-tests $(BIN) $(TESTS)

unit: $(STAMPS)/runtime ## Runs the fast tests, which need no GPU, real or emulated.
	@$(BIN)/pytest -n $(JOBS) tests/unit

native: $(STAMPS)/runtime $(STAMPS)/testbed ## Builds the interposer, the emulated GPU and the HIP programs into core/eclip/native.

fmt: $(STAMPS)/venv ## Formats all Python and C++ sources in place.
	@$(BIN)/ruff format -q .
	@$(BIN)/ruff check -q --select I --fix .
	@clang-format -i $(CXX_FILES)

lint: $(STAMPS)/venv lint-python lint-generated lint-cxx ## Checks formatting, types, C++ rules and that generated files are current.

gen: $(STAMPS)/venv ## Generates the FlatBuffers code and the launch sequences of the model programs.
	@tools/generate

# What the Dockerfiles under images/ are built from: docker build -f images/operator/Dockerfile build/images
image-context: $(STAMPS)/image-context

bench: native ## Measures the interposer, the planner and the emulator against their baselines.
	@failed=; for benchmark in $(filter-out benchmarks/scale.py,$(wildcard benchmarks/[a-z]*.py)); do $(BIN)/python $$benchmark || failed="$$failed $$benchmark"; echo; done; \
	  [ -z "$$failed" ] || { echo "Broke off:$$failed" >&2; exit 1; }

# Over both cores, each from a seed of its own, which it prints.
soak: $(STAMPS)/testbed ## Tries a million random programs for lost order, and keeps those that fail, made short, with the tests (half an hour).
	@cmake --build build/testbed -j $(JOBS) --target order_test -- --quiet
	@seq $(JOBS) | xargs -P $(JOBS) -I% build/testbed/tests/native/order/order_test --programs $$((1000000 / $(JOBS))) \
	  --keep tests/native/order/programs

bench-scale: $(STAMPS)/venv ## Measures the operator with a thousand nodes, before a real API server.
	@$(BIN)/python benchmarks/scale.py

docs: $(STAMPS)/venv ## Writes the references of the command lines.
	@$(BIN)/python -m typer eclip.cli.app utils docs --name eclip --title Commands --output docs/commands.md
	@$(BIN)/python -m typer eclip.cli.kubectl utils docs --name "kubectl eclip" --title "kubectl eclip" \
	  --output docs/kubernetes/kubectl-eclip.md

clean: ## Removes everything that was built, but not the virtual environment.
	rm -rf build core/eclip/native demo-output .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find core tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

ctest: $(STAMPS)/testbed
	@cmake --build build/testbed -j $(JOBS) --target native_tests -- --quiet
	@ctest --test-dir build/testbed --output-on-failure --no-tests=error -j $(JOBS)

# The tests that drive the native part, over libraries and an emulated GPU that watch their own memory. The programs are
# those of the testbed, hence the preload. ROCr gives its threads signal stacks that ASan would free. Nothing is said of
# leaks: what a thread may still look at while the process ends is left to it on purpose.
SANITIZED_LIBRARIES := eclip_contention eclip_hip eclip_planner hsakmt eclip_no_kfd eclip_workload_kernels \
  eclip_test_kernels chain_kernels launches_kernels roctx64
SANITIZED_TESTS ?= tests/unit/contention tests/e2e/emulator tests/e2e/interposer
sanitize: $(STAMPS)/sanitized
	@ASAN_OPTIONS=detect_leaks=0 ctest --test-dir build/sanitized --output-on-failure --no-tests=error -j $(JOBS)
	@LD_PRELOAD=$$(g++ -print-file-name=libasan.so) \
	  ASAN_OPTIONS=detect_leaks=0:verify_asan_link_order=0:protect_shadow_gap=0:use_sigaltstack=0:abort_on_error=1 \
	  UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 build/sanitized/venv/bin/python -m pytest $(SANITIZED_TESTS)

# Races: what has threads of ours in it, without any runtime. TSan wants addresses where it expects them (setarch).
sanitize-threads: $(STAMPS)/runtime $(STAMPS)/configured
	@cmake -S . -B build/threads -G Ninja --log-level=WARNING -DECLIP_TESTBED=ON -DECLIP_SANITIZE=thread \
	  -DCMAKE_BUILD_TYPE=RelWithDebInfo >/dev/null
	@cmake --build build/threads -j $(JOBS) --target interposer_test emulator_test order_test -- --quiet
	@TSAN_OPTIONS=halt_on_error=1 setarch -R ctest --test-dir build/threads --output-on-failure --no-tests=error \
	  -R '^(interposer|emulator|order)_test'

lint-python: $(STAMPS)/venv
	@$(BIN)/ruff format --check -q . || { echo "Some Python files are not formatted: make fmt" >&2; exit 1; }
	@$(BIN)/ruff check -q .
	@$(BIN)/mypy

lint-generated: $(STAMPS)/venv
	@tools/generate --check

lint-cxx: $(STAMPS)/configured
	@clang-format --dry-run -Werror $(CXX_FILES) || { echo "Some C++ files are not formatted: make fmt" >&2; exit 1; }
	@$(MAKE) --no-print-directory -j $(JOBS) $(patsubst %,build/tidy/%.ok,$(TIDY_FILES))

# A source is looked at again when it, a header or the rules changed.
build/tidy/%.ok: % .clang-tidy $(filter %.h %.def %.inc,$(NATIVE_FILES)) | $(STAMPS)/configured
	@mkdir -p $(@D)
	@clang-tidy --quiet -p build/testbed $< 2>$@.log || { cat $@.log >&2; exit 1; }
	@mv $@.log $@

$(STAMPS)/packages: tools/debian-packages.txt
$(STAMPS)/cluster-packages: tools/cluster-packages.txt
$(STAMPS)/packages $(STAMPS)/cluster-packages:
	@tools/install-packages $< $@
	@mkdir -p $(@D) && touch $@

$(STAMPS)/venv: pyproject.toml | $(STAMPS)/packages
	@echo "Installing Python packages into $(VENV)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[dev]'
	@touch $@

# The libraries of the wheel, for an old glibc.
$(STAMPS)/runtime: $(STAMPS)/venv $(NATIVE_FILES)
	@echo "Building the runtime libraries (zig; the first build takes two minutes)"
	@cmake -S . -B build/runtime -G Ninja --log-level=WARNING --no-warn-unused-cli -DCMAKE_TOOLCHAIN_FILE=native/zig.cmake \
	  -DPython_EXECUTABLE=$(abspath $(BIN)/python) >/dev/null
	@cmake --build build/runtime -j $(JOBS) -- --quiet
	@tools/install-native build/runtime core --strip
	@touch $@

# The emulated GPU, the programs and the native tests, for this machine.
$(STAMPS)/testbed: $(STAMPS)/configured $(NATIVE_FILES)
	@echo "Building the emulated GPU and the HIP programs"
	@cmake --build build/testbed -j $(JOBS) -- --quiet
	@tools/install-native build/testbed core
	@touch $@

$(STAMPS)/image-context: $(STAMPS)/runtime $(STAMPS)/testbed $(PYTHON_FILES) tools/image-context
	@tools/image-context $(BIN)/python
	@touch $@

# Its environment sees the Python sources beside the sanitized libraries.
$(STAMPS)/sanitized: $(STAMPS)/runtime $(STAMPS)/testbed core/eclip
	@echo "Building the native libraries and tests with sanitizers"
	@cmake -S . -B build/sanitized -G Ninja --log-level=WARNING -DECLIP_TESTBED=ON -DECLIP_SANITIZE=address,undefined \
	  -DCMAKE_BUILD_TYPE=RelWithDebInfo >/dev/null
	@cmake --build build/sanitized -j $(JOBS) --target native_tests $(SANITIZED_LIBRARIES) -- --quiet
	@rm -rf build/sanitized/package build/sanitized/venv
	@mkdir -p build/sanitized/package/eclip
	@ln -s $(abspath $(filter-out %/native %/__pycache__,$(wildcard core/eclip/*))) build/sanitized/package/eclip/
	@cp -R core/eclip/native build/sanitized/package/eclip/
	@tools/install-native build/sanitized build/sanitized/package --component libraries
	@$(PYTHON) -m venv --without-pip build/sanitized/venv
	@printf '%s\n' $(abspath build/sanitized/package $(wildcard $(VENV)/lib/python3*/site-packages)) \
	  >$$(echo build/sanitized/venv/lib/python3*/site-packages)/sources.pth
	@touch $@

$(STAMPS)/configured: $(filter %CMakeLists.txt %.cmake,$(NATIVE_FILES)) | $(STAMPS)/packages
	@cmake -S . -B build/testbed -G Ninja --log-level=WARNING -DECLIP_TESTBED=ON >/dev/null
	@mkdir -p $(@D) && touch $@

.PHONY: help demo soak test unit native fmt lint gen image-context bench bench-scale cluster cluster-down docs clean ctest sanitize sanitize-threads lint-python lint-generated lint-cxx
