# SPDX-License-Identifier: Apache-2.0
# make demo    set up, build, and run lines and faces on the sample
# make test    set up and run all tests
# make test-camera  the camera's tests on virtual devices, in QEMU
# make bench   measure: parts, pipeline, limit, and a Python rival
# make train-smoke   every training recipe for a moment, on generated data
# make deps    only the set-up: Debian packages and OpenVINO
# make docs      the node reference, the JSON Schema and the API documentation
# make install PREFIX=/usr/local
# make deb     a Debian package in dist/, for this release and processor
# make test-deb  installs it into a bare system, and runs the demo and the service there

PREFIX ?= /usr/local
SWIFT ?= swift
RELEASE = .build/release/vpipe

.PHONY: train-smoke demo test test-camera bench deps build install install-files deb test-deb swift-toolchain docs

demo: build
	@mkdir -p out
	$(RELEASE) run pipelines/demo.json
	python3 samples/check.py --face-score 0.5 samples/demo.jsonl out/demo.jsonl
	@echo "look at out/demo.mp4; what was found is in out/demo.jsonl"

# mosquitto: the broker of the tests. python3-gi and the two after it: their RTSP server. prometheus: promtool checks the metrics. nginx, curl,
# openssl: the example in deploy/. slurm*: a cluster for batches.
test: deps swift-toolchain
	@scripts/deps mosquitto mosquitto-clients python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-good \
	    prometheus nginx-light curl openssl slurmctld slurmd slurm-client
	scripts/test

test-camera: swift-toolchain
	@scripts/deps qemu-system-x86 busybox-static kmod xz-utils gcc make v4l-utils systemd udev
	scripts/test-camera

bench: build
	scripts/bench

train-smoke: build
	scripts/train-smoke

deps:
	@scripts/deps

build: deps swift-toolchain
	$(SWIFT) build -c release --product vpipe

swift-toolchain:
	@command -v $(SWIFT) >/dev/null || { \
	    echo "no Swift compiler: on Debian 13, 'apt-get install swiftlang'; elsewhere unpack the 6.0 or newer" \
	         "toolchain for your system from swift.org and put its usr/bin in PATH" >&2; exit 1; }

docs: build
	$(RELEASE) nodes --markdown > docs/nodes.md
	$(RELEASE) schema > docs/pipeline.schema.json
	@mkdir -p out
	VPIPE_DOCS=1 $(SWIFT) package --scratch-path .build-docs --allow-writing-to-directory out/api generate-documentation \
	    --target Pipeline --output-path out/api --transform-for-static-hosting --warnings-as-errors
	@echo "API documentation: out/api, to be served by any web server"

deb: swift-toolchain
	scripts/make-deb

test-deb: deb
	scripts/test-deb

install: build install-files

# What is installed where; a package is made of the same. VPIPE names the program.
install-files: VPIPE ?= $(RELEASE)
install-files:
	install -D -m 755 $(VPIPE) $(DESTDIR)$(PREFIX)/bin/vpipe
	install -d $(DESTDIR)$(PREFIX)/share/vpipe/models $(DESTDIR)$(PREFIX)/share/vpipe/pipelines
	install -m 644 models/*.safetensors models/*.json models/*.md $(DESTDIR)$(PREFIX)/share/vpipe/models/
	install -d $(DESTDIR)$(PREFIX)/share/vpipe/models/official
	install -m 644 models/official/*.json $(DESTDIR)$(PREFIX)/share/vpipe/models/official/
	install -m 644 pipelines/*.json $(DESTDIR)$(PREFIX)/share/vpipe/pipelines/
	install -d $(DESTDIR)$(PREFIX)/share/vpipe/samples
	install -m 644 samples/*.mp4 samples/*.jsonl $(DESTDIR)$(PREFIX)/share/vpipe/samples/
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's|/usr/local/bin/vpipe|$(PREFIX)/bin/vpipe|' packaging/vpipe@.service > \
	    $(DESTDIR)$(PREFIX)/lib/systemd/system/vpipe@.service
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions \
	    $(DESTDIR)$(PREFIX)/share/zsh/site-functions $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
	$(VPIPE) --generate-completion-script bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/vpipe
	$(VPIPE) --generate-completion-script zsh > $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_vpipe
	$(VPIPE) --generate-completion-script fish > $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/vpipe.fish
	if command -v help2man >/dev/null; then scripts/make-man $(CURDIR)/$(VPIPE) $(DESTDIR)$(PREFIX)/share/man/man1; \
	else echo 'install: no manual pages: they need help2man' >&2; fi
