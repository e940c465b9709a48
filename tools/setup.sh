#!/bin/sh
# Installs what building and testing need and this machine lacks; asks nothing.
# Works as root (a container) and as a user with sudo; a second run is a few checks.
set -eu

missing=''
need() { # need COMMAND PACKAGE
	command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
need cc gcc
need pkg-config pkg-config
need sipp sip-tester
need redis-server redis-server

if [ -n "$missing" ]; then
	echo "setup: installing$missing"
	if [ "$(id -u)" = 0 ]; then as_root=''; else as_root='sudo'; fi
	export DEBIAN_FRONTEND=noninteractive
	$as_root apt-get update -qq
	# shellcheck disable=SC2086 # a list of packages
	$as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

if ! command -v cargo >/dev/null 2>&1; then
	echo 'setup: Rust is missing: install it from https://rustup.rs, then run make again' >&2
	exit 1
fi
