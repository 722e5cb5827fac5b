#!/bin/sh
# SPDX-License-Identifier: ISC
# The metrics of src/daemon/metrics.c are those of mailhauld(8), and alert
# rules and dashboard speak of no others.

srcdir=${srcdir:-.}
rules=$srcdir/contrib/prometheus

tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
echo 1..3
n=0

# ok NAME: the outcome of the command before it; "$tmp/why" says why not.
ok()
{
	result=$?
	n=$((n + 1))
	test "$result" -eq 0 || printf 'not '
	echo "ok $n - $1"
	test "$result" -eq 0 || sed 's/^/# /' "$tmp/why"
}

# Every word of ours in these files, without what a histogram adds.
names()
{
	grep -ohE '\bmailhaul_[a-z0-9_]+' "$@" |
	    sed -E 's/_seconds_(bucket|sum|count)$/_seconds/' | sort -u
}

names "$srcdir/src/daemon/metrics.c" >"$tmp/have"
grep -E '^\.It Ic mailhaul_' "$srcdir/doc/mailhauld.8" >"$tmp/entries"
names "$tmp/entries" >"$tmp/manual"
diff "$tmp/have" "$tmp/manual" >"$tmp/why" && test -s "$tmp/have"
ok 'mailhauld(8) has every metric, and no other'

for file in mailhaul.rules.yml dashboard.json; do
	names "$rules/$file" >"$tmp/used"
	comm -13 "$tmp/have" "$tmp/used" >"$tmp/why"
	test ! -s "$tmp/why" && test -s "$tmp/used"
	ok "$file speaks of no other"
done
