# The only place that knows how to build. `make` lists the goals.
.DEFAULT_GOAL := help
SHELL := /bin/sh
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

ADDON := speaker/native/build/socket.node
# The build that test/e2e upgrades a cluster to.
NEXT := v0.1.1
# The list of what is tested, and how, is hack/suites/suites.ts.
SUITES := node hack/suites/main.ts
# As the image starts a speaker (hack/images/stages.ts).
SPEAKER_FLAGS := --max-semi-space-size=1 --optimize-for-size --max-old-space-size=192 --v8-pool-size=1
AS_SPEAKER := env MALLOC_ARENA_MAX=1 node $(SPEAKER_FLAGS)

.PHONY: help
help: ## List the goals
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: setup-lab addon ## A real cluster with Genkan, shown step by step; leaves it running
	@node hack/demo/main.ts up

.PHONY: demo-stop
demo-stop: ## Stop the demo's cluster, leave nothing behind
	@node hack/demo/main.ts down

.PHONY: test
test: setup addon ## All tests that a change needs (what CI runs)
	@node hack/lab/main.ts programs
	@node hack/images/main.ts build
	@node hack/images/main.ts build $(NEXT)
	@$(SUITES) all

.PHONY: test-e2e
test-e2e: images ## The whole of it on a real cluster with real pods
	@node hack/lab/main.ts programs
	@node hack/images/main.ts build $(NEXT)
	@$(SUITES) e2e

.PHONY: test-long
test-long: images ## All tests again and again for HOURS (4); results in docs/results
	@node hack/lab/main.ts programs
	@node hack/images/main.ts build $(NEXT)
	@node test/long/many-controller-kills.ts 200 2000
	@node hack/long/main.ts --hours $(or $(HOURS),4)
	@node test/long/takeovers.ts kills $(or $(KILLS),200)
	@node test/long/takeovers.ts moves $(or $(MOVES),100)
	@node test/long/rollouts.ts $(or $(ROLLOUTS),100)
	@$(MAKE) bench-bfd

.PHONY: test-upstream
test-upstream: setup-upstream addon ## Kubernetes' own tests of load balancers, in both modes: an hour; keeps docs/results/upstream.md
	@node hack/images/main.ts build
	@node test/upstream/main.ts $(or $(MODES),layer2 kubeproxy dualstack bgp bgp-addresses)

.PHONY: test-interop
test-interop: setup addon ## BGP against FRR, BIRD, GoBGP and ExaBGP
	@$(SUITES) interop

.PHONY: test-unit
test-unit: setup-base addon ## The tests beside the code: seconds
	@$(SUITES) unit

.PHONY: test-flows
test-flows: setup addon ## Flows of three nodes beside others' rules and over changes; other tunnels; not in `make test`: minutes
	@$(SUITES) flows

.PHONY: test-console
test-console: setup-console ## The console's page in Chromium; not in `make test`: it fetches a browser
	@$(SUITES) console

.PHONY: test-confined
test-confined: setup addon ## Speakers of whole suites under the profile of seccomp that config/profiles has; not in `make test`
	@SPEAKER_UNDER="$$(node test/layer2/confine.ts)" $(SUITES) layer2 && node test/layer2/confine.ts refused
	@SPEAKER_UNDER="$$(node test/layer2/confine.ts)" $(SUITES) timing && node test/layer2/confine.ts refused
	@SPEAKER_UNDER="$$(node test/layer2/confine.ts)" $(SUITES) ipvs && node test/layer2/confine.ts refused

.PHONY: audit
audit: setup-base ## Known holes in what the images and the command have of others; asks npm's registry
	@npm audit --omit=dev

.PHONY: console-pictures
console-pictures: setup-console ## The screenshots of docs/console.md anew, by Chromium
	@node test/console/pictures.ts

.PHONY: test-gitops
test-gitops: setup addon ## What Flux's kstatus makes of our objects; not in `make test`: it builds a Go module for minutes
	@node hack/lab/main.ts programs
	@$(SUITES) gitops

.PHONY: check
check: setup-base ## Types, lint, dead code, borders, generated files fresh
	@$(MAKE) --no-print-directory --keep-going --output-sync=target --jobs=2 $(CHECKS)

# Two at a time. tsc remembers in build/ what it has checked.
CHECKS := check-borders check-lint check-types check-dead check-generated check-mutants
.PHONY: $(CHECKS)
check-types:
	@tsc
	@tsc --project console/page
check-lint:
	@biome check --error-on-warnings .
check-dead:
	@knip
check-borders:
	@node hack/check-layout.ts
check-generated:
	@node hack/generate.ts --check
check-mutants:
	@node hack/mutants/main.ts --check

.PHONY: generate
generate: setup-base ## CRDs -> types, validators and the reference pages
	@node hack/generate.ts

.PHONY: addon
addon: $(ADDON) ## The speaker's native addon, by cc
$(ADDON): $(wildcard speaker/native/*.c) speaker/native/addon.h | setup-base
	@mkdir -p $(dir $@)
	@cc -std=gnu11 -shared -fPIC -fvisibility=hidden -O2 -Wall -Wextra -Werror -Inode_modules/node-api-headers/include -o $@ $(filter %.c,$^)

.PHONY: images
images: setup addon ## The lab's container images, into .lab/images
	@node hack/images/main.ts build

.PHONY: release-cli
release-cli: setup-base ## The command as one file and as an npm package, into build/release
	@node hack/release/main.ts cli

# Variables go through the environment: as text of the recipe, a tag's name could be a command.
.PHONY: release
release: setup-release addon ## A release into dist/: VERSION=v1.2.3 REGISTRY=registry.example.com/genkan [KEY=file.pem]
	@node hack/release/main.ts --version "$$VERSION" --registry "$$REGISTRY" --key "$$KEY" \
	  --architectures "$${ARCHITECTURES:-amd64,arm64}" --output "$${OUTPUT:-dist}"

.PHONY: test-release
test-release: setup-release addon ## A release built twice, run under emulation, pushed; not in `make test`: it fetches arm64
	@$(SUITES) release

.PHONY: test-takeover
test-takeover: images ## From MetalLB with live Services to Genkan, by the page; not in `make test`: it builds MetalLB
	@node hack/lab/main.ts programs
	@$(SUITES) takeover

.PHONY: test-upgrade
test-upgrade: images ## From the previous release to this one under load, and back: FROM=tag FORWARDING=KubeProxy; not in `make test`
	@node hack/lab/main.ts programs
	@FROM="$${FROM:-}" FORWARDING="$${FORWARDING:-}" $(SUITES) upgrade

.PHONY: test-stranger
test-stranger: setup-release images ## From a clone to a Service and back by docs/install.md alone: FORWARDING=KubeProxy; not in `make test`
	@node hack/lab/main.ts programs
	@FORWARDING="$${FORWARDING:-}" $(SUITES) stranger

.PHONY: lab
lab: setup-lab ## A cluster without Genkan (npm run lab -- status, exec, env, down)
	@node hack/lab/main.ts up

.PHONY: mutants
mutants: setup-base addon ## Faults made on purpose: do the fast tests notice? ONLY=path for some of them
	@node hack/mutants/main.ts $(ONLY)

.PHONY: chaos
chaos: images ## Faults of all kinds to a lab under traffic: SEED, MINUTES (10); keeps docs/results/chaos.md
	@node hack/lab/main.ts programs
	@node test/chaos/main.ts --seed "$(SEED)" --minutes "$(or $(MINUTES),10)" --only "$(ONLY)" --mode "$(MODE)"

.PHONY: soak
soak: images ## A lab under traffic and churn for HOURS (4): no request may fail, nothing may grow; keeps docs/results/soak.md
	@node hack/lab/main.ts programs
	@node test/soak/main.ts --hours "$(or $(HOURS),4)"

.PHONY: model
model: setup-base addon ## All that can happen to who owns an address, among a few nodes; keeps docs/results/model.md
	@node --max-semi-space-size=64 --max-old-space-size=6000 test/model/main.ts

.PHONY: fuzz
fuzz: setup-base addon ## Every decoder with two million messages of noise and mutations
	@node --expose-gc test/fuzz/main.ts

.PHONY: bench
bench: setup addon ## All benchmarks and one page of them, docs/results/bench.md; ONLY=plan,bgp for some (an hour or two)
	@node hack/bench/together/main.ts $(if $(ONLY),--only $(ONLY))

.PHONY: bench-allocation-api
bench-allocation-api: setup addon ## POST to address through a real API server
	@node hack/lab/main.ts programs
	@node test/bench/allocation-api.ts

.PHONY: bench-allocation
bench-allocation: setup-base ## Allocation speed beside a linear scan
	@node --expose-gc hack/bench/allocation.ts

.PHONY: bench-plan
bench-plan: setup-base ## A speaker's pass at 10,000 Services, and what a takeover waits for
	@node --expose-gc hack/bench/plan.ts
	@node hack/bench/takeover.ts

.PHONY: bench-growth
bench-growth: setup-base ## How a speaker's pass grows with Services, endpoints and nodes
	@node --expose-gc --max-old-space-size=4000 hack/bench/growth.ts

.PHONY: bench-pools-burst
bench-pools-burst: setup addon ## 300 pools made at once beside 6,000 Services: who waits, who leads
	@node hack/lab/main.ts programs
	@node test/bench/pools-burst.ts

.PHONY: bench-bfd
bench-bfd: setup addon ## 200 deaths of a BFD peer; sessions under load for MINUTES (60): 64 in both modes, 16 of 20 ms x 3; forged packets
	@node test/long/bfd-deaths.ts kills 200
	@node test/long/bfd-deaths.ts flaps $(or $(MINUTES),60)
	@node test/long/bfd-deaths.ts flaps $(or $(MINUTES),60) 20
	@node test/long/bfd-deaths.ts normal $(or $(MINUTES),60)
	@node test/long/bfd-flood.ts

.PHONY: bench-failover
bench-failover: setup-benches addon ## Layer 2 takeovers beside keepalived, MetalLB and kube-vip: RUNS (20) of each kind, PEER_RUNS of the others, MINUTES (2) of false alarms; keeps docs/results/failover.md
	@node hack/lab/main.ts programs
	@node test/bench/failover.ts $(or $(RUNS),20) $(or $(MINUTES),2) $(PEER_RUNS)

.PHONY: bench-false-moves
bench-false-moves: setup addon ## Layer 2 addresses that move though every node lives: MINUTES (60) of each KIND (loss starved stopped)
	@node hack/lab/main.ts programs
	@node test/bench/false-moves.ts $(or $(MINUTES),60) $(KIND)

.PHONY: bench-bgp
bench-bgp: setup addon ## Prefixes to FRR beside GoBGP and ExaBGP, and how long 30 peers hold the thread; keeps docs/results/bgp.md, bgp-tables.md
	@node test/bench/bgp.ts
	@node $(SPEAKER_FLAGS) test/bench/bgp-tables.ts

.PHONY: bench-forwarding
bench-forwarding: setup addon ## What forwarding adds to a request and to a packet; keeps docs/results/forwarding.md
	@node test/bench/forwarding.ts

.PHONY: bench-wrk
bench-wrk: setup-benches addon ## Requests a second by wrk over 1 to 40 pods, beside nginx, haproxy and others; keeps docs/results/wrk.md
	@node test/bench/wrk/main.ts

.PHONY: bench-scale
bench-scale: setup addon ## What 10,000 Services of ten pods cost a speaker: with a kernel in memory, then with a real one
	@node test/bench/scale.ts
	@node test/bench/scale-bundle.ts build/bench
	@for more in "" --shared "--services 5000"; do node hack/guest/run.ts --memory 2500 -- $(AS_SPEAKER) build/bench/scale.mjs --kernel real $$more || exit 1; done

.PHONY: bench-sharing
bench-sharing: setup addon ## What it costs that nodes tell each other of connections: processor time and memory of each, and lists
	@node test/bench/sharing.ts
	@node test/bench/scale-bundle.ts build/bench
	@for more in "" --shared; do node hack/guest/run.ts --memory 2500 -- $(AS_SPEAKER) build/bench/scale.mjs --kernel real --changes 100 --elsewhere $$more || exit 1; done

.PHONY: bench-lab-scale
bench-lab-scale: setup addon ## 5,000 and 10,000 Services of 100,000 endpoints by a real API server, 100 changes a second for MINUTES (30); keeps docs/results/lab-scale.md
	@node hack/lab/main.ts programs
	@node test/bench/lab-scale.ts --services 5000 --endpoints 20 --minutes $(or $(MINUTES),30)
	@node test/bench/lab-scale.ts --services 10000 --endpoints 10 --minutes $(or $(MINUTES),30)

.PHONY: bench-lab
bench-lab: images ## What the lab's kernels cost, beside each other; keeps docs/results/lab.md
	@node hack/lab/main.ts programs
	@node test/bench/lab-kernels.ts

.PHONY: bench-memory
bench-memory: setup addon ## A speaker's memory with thousands of Services
	@node hack/lab/main.ts programs
	@node test/bench/speaker-memory.ts layer2 3000
	@node test/bench/speaker-memory.ts bgp 3000

.PHONY: setup
setup: ## Install what is missing on this machine
	@hack/setup tests
.PHONY: setup-lab
setup-lab:
	@hack/setup lab
.PHONY: setup-benches
setup-benches:
	@hack/setup benches
.PHONY: setup-release
setup-release:
	@hack/setup release
.PHONY: setup-console
setup-console:
	@hack/setup console
.PHONY: setup-upstream
setup-upstream:
	@hack/setup upstream
.PHONY: setup-base
setup-base:
	@hack/setup base

.PHONY: docs
docs: setup-base ## The pages as a site with search, links checked, into build/site/html; installs VitePress apart
	@cd hack/site/tool && npm ci --silent --no-audit --no-fund --ignore-scripts
	@node hack/site/main.ts

.PHONY: clean
clean: ## Remove what was built (the lab must be down)
	@rm -rf build dist speaker/native/build .lab/images
