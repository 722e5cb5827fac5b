# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: ISC
# What contrib/demo and contrib/check share: packages and the source copy.
# Sourced, not run.

# To build, to run servers for the demo and the live tests, to test.
BUILD_PACKAGES="autoconf automake gcc libc6-dev make pkg-config libevent-dev
    libssl-dev libsqlite3-dev libconfig-dev libgsasl-dev libsystemd-dev
    libjansson-dev libcurl4-openssl-dev"
SERVER_PACKAGES="python3 openssl dovecot-core dovecot-imapd dovecot-pop3d
    dovecot-lmtpd postfix"
# iproute2, nftables: a cable between two network namespaces, to cut.
CHECK_PACKAGES="systemd systemd-container dbus binutils clang clang-format
    faketime fetchmail libcmocka-dev mandoc curl fish iproute2 nftables patch
    prometheus python3-dkim python3-pytest tmux xz-utils zsh"
FULL_PACKAGES="libclang-rt-14-dev fdm"
# For the OpenID provider of the live tests; not beside a Node.js of another
# origin, which brings its own npm.
command -v npm >/dev/null || CHECK_PACKAGES="$CHECK_PACKAGES nodejs npm"

# Debian's python3: another one in PATH may lack pytest.
PYTHON=/usr/bin/python3
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

missing_packages() {
	local p
	for p in "$@"; do
		dpkg-query -W -f '${Status}' "$p" 2>/dev/null |
		    grep -q '^install ok installed$' || printf '%s ' "$p"
	done
}

# Installs what is missing and starts none of it: servers that a package
# would start for the whole machine are not wanted for a test.
install_missing() {
	local policy=/usr/sbin/policy-rc.d want='' made='' status=0
	want=$(missing_packages "$@")
	[ -n "$want" ] || return 0
	echo "installing: $want"
	if [ ! -e $policy ]; then
		printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null &&
		    as_root chmod 755 $policy && made=1
	fi
	# shellcheck disable=SC2086
	as_root env DEBIAN_FRONTEND=noninteractive sh -c '
	    apt-get -qq update &&
	    apt-get -qq -y --no-install-recommends install "$@"' apt $want \
	    >"$WORK/apt.log" 2>&1 </dev/null || status=$?
	[ -z "$made" ] || as_root rm -f $policy
	[ $status = 0 ] || { cat "$WORK/apt.log"; return $status; }
}

# The sources as they stand in this checkout, without anything that was built
# there, so that what is built here does not depend on it.
copy_sources() {
	local top=$1 to=$2
	mkdir -p "$to"
	if git -C "$top" ls-files -z -co --exclude-standard \
	    >"$WORK/files" 2>/dev/null && [ -s "$WORK/files" ]; then
		tar -C "$top" --null -T "$WORK/files" --ignore-failed-read \
		    -cf - 2>/dev/null | tar -C "$to" -xf -
	else
		tar -C "$top" --exclude=./.git -cf - . | tar -C "$to" -xf -
	fi
}
