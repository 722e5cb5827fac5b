#!/bin/sh
# SPDX-License-Identifier: ISC
# What the bench measures with: the limit program pushes awkward messages to the
# sink, by BDAT and by DATA, and the sink's log holds the SHA-256 of each body.
tools=$PWD/tests/bench
tmp=$(mktemp -d) || exit 99
n=0
failed=0
trap 'test -z "$sink" || kill "$sink"; rm -rf "$tmp"' EXIT

ok()
{
	result=$?
	n=$((n + 1))
	test "$result" -eq 0 || { failed=1; printf 'not '; }
	echo "ok $n - $1"
}

cd "$tmp" || exit 99
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
    -subj /CN=localhost -keyout key -out cert 2>/dev/null || {
	echo "1..0 # SKIP no openssl"
	exit 0
}

# message NAME BODY: the body as printf has it
mkdir out
message()
{
	printf 'Subject: %s\r\n\r\n' "$1" >"out/$1"
	printf "$2" >>"out/$1"
	printf "$2" | sha256sum | cut -d' ' -f1 >>expected
}
message plain 'one line\r\n'
message dots '.\r\n..\r\n.x\r\n\r\n...\r\n'
message stops 'a.\r\n.\r\n\n.\r\nb.\r\n'
message empty ''
awk 'BEGIN { for (i = 0; i < 40000; i++) print i % 7 ? "text\r" : ".\r" }' \
    >large
message large "$(cat large)\r\n"
sort -o expected expected

mkfifo ports
"$tools/sink" cert key inbox secret log >ports &
sink=$!
read -r submission plain_data _ <ports

# push HOW PORT: everything arrives, as it was
push()
{
	: >log
	"$tools/limit" push "$2" inbox secret "$1" inbox@example.test out &&
	    sort log | cmp - expected
}
push bdat "$submission"
ok "by BDAT, many in flight"
push data "$submission"
ok "by DATA"
push data "$plain_data"
ok "by DATA where there is no CHUNKING"
push bdat "$submission" && cp log once &&
    "$tools/limit" push "$submission" inbox secret bdat i@example.test out \
	-- push "$submission" inbox secret data i@example.test out &&
    test "$(wc -l <log)" -eq $((3 * $(wc -l <once)))
ok "two at the same time"
! "$tools/limit" push "$submission" inbox wrong bdat i@example.test out \
    2>/dev/null
ok "a wrong password is refused"
echo "1..$n"
exit $failed
