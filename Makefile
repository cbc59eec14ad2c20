# `make` alone lists what there is.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help toolchain controlplane test verify lint demo bench generate clean

TOOLS := $(CURDIR)/.tools

help: ## List the targets
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

# Both are checked with a remedy, instead of failing in the middle of a build.
toolchain:
	@command -v cargo >/dev/null || { echo "Rust is missing: install it with rustup (https://rustup.rs); rust-toolchain.toml names the version" >&2; exit 1; }
	@command -v cc >/dev/null || { echo "A C linker is missing: install gcc or clang" >&2; exit 1; }

# Kubernetes itself, from its sources, once: about 9 minutes on 2 cores. KUBEBUILDER_ASSETS names ready binaries.
controlplane: toolchain
	@if [ -z "$${KUBEBUILDER_ASSETS:-}" ]; then \
	    tests/controlplane/build --print-dir >/dev/null; \
	fi

test: controlplane ## All tests, against a real API server too
	cargo test --workspace --locked

demo: ## A shop on a simulated cluster, broken on purpose, seen with kubectl (KEEP=1, DEMO_KUBECONFIG=FILE)
	@KEEP="$(KEEP)" DEMO_KUBECONFIG="$(DEMO_KUBECONFIG)" demo/run

lint: toolchain ## Formatting, clippy, documentation, licences
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked
	@command -v cargo-deny >/dev/null || [ -x "$(TOOLS)/bin/cargo-deny" ] || \
	    cargo install cargo-deny --locked --root "$(TOOLS)"
	PATH="$$PATH:$(TOOLS)/bin" cargo deny --locked check

verify: controlplane ## The long figures; goes on where it stopped
	tests/verify

bench: controlplane ## Benches of the core, and of the whole operator
	cargo bench --locked --workspace
	@if [ -e tests/support/src/bin/bench-operator.rs ] || [ -d tests/support/src/bin/bench-operator ]; then \
	    cargo run --release --locked --package assize-testkit --bin bench-operator; \
	fi

generate: toolchain ## Rewrite what is generated: crds/ and docs/reference/
	cargo run --locked --quiet --bin assize -- crds --output-dir crds
	cargo run --locked --quiet --package assize-testkit --bin reference -- crds docs/reference

clean: ## Remove what was built, except the control plane in its cache folder
	cargo clean
	rm -rf "$(TOOLS)"
