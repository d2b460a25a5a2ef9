# SPDX-License-Identifier: Apache-2.0

SWIFT ?= swift

.PHONY: install help build test seeds check check-swarm lint format tsan demo bench suite microbench netns lab clean

help: ## what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

build: ## compile everything, for debugging
	$(SWIFT) build --build-tests

test: ## all tests
	$(SWIFT) test

seeds: ## the tests that draw their cases, with all their seeds
	HOMA_ALL_SEEDS=1 $(SWIFT) test --filter 'HomaCoreTests|HomaBuffersTests|HomaScenariosTests.(ShortJSON|ScenarioJSON)'

lint: ## complain about layout
	$(SWIFT) format lint --strict --recursive --parallel Package.swift Sources Tests \
		Benchmarks/Package.swift Benchmarks/Benchmarks

format: ## put the layout right
	$(SWIFT) format --in-place --recursive --parallel Package.swift Sources Tests

check: lint build test ## what must pass before a commit

tsan: ## pool, engine and public interface under the thread sanitizer, some minutes
	SWIFT=$(SWIFT) Scripts/thread-sanitizer.sh

demo: ## a server and a client on this machine
	$(SWIFT) run -c release homa demo

PREFIX ?= /usr/local

install: ## the command homa, to $(PREFIX)/bin
	$(SWIFT) build -c release --product homa
	install -D .build/release/homa $(DESTDIR)$(PREFIX)/bin/homa

bench: ## latency and throughput, with TCP beside it
	$(SWIFT) run -c release homa bench

suite: ## the whole performance record, against its rivals; root for namespaces
	$(SWIFT) build -c release --product homa
	$(SWIFT) build -c release --product homa-echo
	.build/release/homa bench --suite

microbench: ## pool, core, wire and event queue by themselves
	$(SWIFT) package --package-path Benchmarks benchmark --no-progress

check-swarm: ## hosts on a virtual network under faults, some minutes
	$(SWIFT) build -c release --product homa
	.build/release/homa check swarm --seeds 1..10000
	.build/release/homa check swarm --engine --seeds 1..2000

netns: ## checks in network namespaces; needs root
	$(SWIFT) build -c release --product homa
	Scripts/netns-checks.sh
	Scripts/edge-checks.sh
	Scripts/slow-links.sh
	Scripts/attacks.sh

lab: ## checks of the emulated network; needs root
	$(SWIFT) build -c release --product homa
	Scripts/lab-check.sh

clean: ## remove what was built
	rm -rf .build .build-tsan .build-planted .build-fuzz Benchmarks/.build
