# mod_cti: `make demo` and `make test` do all set-up by themselves; `make help` lists the rest.

# Where FreeSWITCH is: PREFIX (or FREESWITCH_PREFIX), else what pkg-config says, else
# where its own build puts it. MODULESDIR and CONFDIR follow, unless they are given.
PREFIX     ?= $(FREESWITCH_PREFIX)
known       = $(if $(PREFIX),,$(shell pkg-config --variable=$(1) freeswitch 2>/dev/null))
under       = $(firstword $(wildcard $(addprefix $(or $(PREFIX),/usr/local/freeswitch)/,$(1))) $(or $(PREFIX),/usr/local/freeswitch)/$(firstword $(1)))
MODULESDIR ?= $(or $(call known,modulesdir),$(call under,lib/freeswitch/mod mod))
CONFDIR    ?= $(or $(call known,confdir),$(if $(filter /usr,$(PREFIX)),/etc/freeswitch,$(call under,etc/freeswitch conf)))
DESTDIR    ?=

FUZZ_SECONDS ?= 60

CARGO  ?= cargo
TARGET  = $(or $(CARGO_TARGET_DIR),target)
MODULE  = $(TARGET)/release/libmod_cti.so
CONF    = $(shell cd conf && find . -name '*.xml')

.PHONY: help all setup build demo test live lint bench fuzz doc install clean

help:
	@echo 'make demo      build, ring 22222 and 11111 with phones that behave differently, draw who rang'
	@echo 'make test      every test; those on a real FreeSWITCH where there is one'
	@echo 'make live      only the tests on a real FreeSWITCH (FREESWITCH_PREFIX names it)'
	@echo 'make install   mod_cti.so to $(MODULESDIR), conf/ to $(CONFDIR) (nothing is overwritten)'
	@echo 'make lint      format, lints and documentation, warnings as errors'
	@echo 'make bench     the benches, and where there is a FreeSWITCH the ring engine beside bridge'
	@echo 'make fuzz      each fuzz target for FUZZ_SECONDS=$(FUZZ_SECONDS)'

all: build

# What a fresh Debian lacks; a second run finds it all and does nothing.
setup:
	@sh tools/setup.sh

build: setup
	$(CARGO) build --release --locked

demo: setup
	$(CARGO) run --release --locked --quiet --example demo

# The cdylib is built first: the tests load the very file that is installed.
test: setup
	$(CARGO) build --locked
	$(CARGO) test --locked

live: setup
	$(CARGO) build --locked
	$(CARGO) test --locked --test live

lint: setup
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --locked --no-deps --document-private-items

bench: setup
	$(CARGO) bench --locked
	-$(CARGO) run --release --locked --example measure

# Stable Rust will do: RUSTC_BOOTSTRAP lets cargo-fuzz count coverage. What is fuzzed has no
# unsafe code, so no sanitizer slows it down.
fuzz: setup
	@$(CARGO) fuzz --version >/dev/null 2>&1 || $(CARGO) install --locked cargo-fuzz@0.13.2
	@for target in plan long time api contacts ring disorder; do \
	  RUSTC_BOOTSTRAP=1 $(CARGO) fuzz run --sanitizer none $$target -- \
	    -dict=fuzz/words.dict -timeout=10 -max_total_time=$(FUZZ_SECONDS) || exit 1; \
	done

install: build
	install -D -m 755 $(MODULE) '$(DESTDIR)$(MODULESDIR)/mod_cti.so'
	@for file in $(CONF); do \
	  to='$(DESTDIR)$(CONFDIR)'/$$file; \
	  case $$file in */modules.conf.xml) continue ;; esac; \
	  if [ -e "$$to" ]; then echo "kept      $$to"; \
	  else install -D -m 644 conf/$$file "$$to" && echo "installed $$to"; fi; \
	done
	@echo 'Now add <load module="mod_cti"/> to $(CONFDIR)/autoload_configs/modules.conf.xml, then: fs_cli -x "load mod_cti"'

clean:
	$(CARGO) clean
