#!/bin/sh
# SPDX-License-Identifier: ISC
# The protocol machines are pure: what libproto.a calls outside itself must be
# on this list.  No file, socket, clock, environment, log, library.
lib=libproto.a
allowed='mem(cpy|move|set|chr|rchr|cmp|mem)|bcmp|explicit_bzero
str(len|nlen|cmp|ncmp|chr|rchr)
v?snprintf|free
(buf|ascii|mem|span)_[a-z_]+'
# What compilers add: hardened variants, sanitizers, coverage, tables.
compiler='__[a-z]+_chk|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_
__(asan|ubsan|lsan|sanitizer|gcov|llvm|start|stop)_.*|__sancov_.*'

if ! test -f "$lib"; then
	echo "1..0 # SKIP no $lib here"
	exit 0
fi
own=$(${NM:-nm} -g --defined-only "$lib" | awk 'NF == 3 { print $3 }')
wrong=$(${NM:-nm} -u "$lib" | awk '$1 == "U" { print $2 }' | sort -u |
    grep -vxF -e "$own" | grep -vxE -e "$allowed" | grep -vxE -e "$compiler")
echo 1..2
if test -n "$own"; then
	echo "ok 1 - $lib can be read"
else
	echo "not ok 1 - $lib can be read"
fi
if test -n "$wrong"; then
	echo "not ok 2 - $lib calls nothing impure"
	echo "$wrong" | sed 's/^/# /'
	exit 1
fi
echo "ok 2 - $lib calls nothing impure"
