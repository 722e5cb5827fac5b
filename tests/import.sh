#!/bin/sh
# SPDX-License-Identifier: ISC
# mailhaul import fetchmail: each tests/import/X.rc gives what X.out holds, with
# what was said and the exit code, and what was made is a good configuration.
# After a wanted change: tests/import.sh --write, and look at the difference.

srcdir=${srcdir:-.}
mailhaul=$(cd "$(dirname "${MAILHAUL:-./mailhaul}")" && pwd)/mailhaul
folder=$(cd "$srcdir/tests/import" && pwd)
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
n=0
failed=0

# ok NAME: the outcome of the command before it; $tmp/why says why not.
ok()
{
	result=$?
	n=$((n + 1))
	if test "$result" -eq 0; then
		echo "ok $n - $1"
	else
		failed=1
		echo "not ok $n - $1"
		sed 's/^/# /' "$tmp/why"
	fi
	: >"$tmp/why"
}
: >"$tmp/why"

# import ARGUMENT...: in the folder of the samples; into $tmp/got.
import()
{
	{
		(cd "$folder" && "$mailhaul" --state "$tmp/state" import \
		    fetchmail "$@" 2>"$tmp/said")
		echo "exit $?"
		cat "$tmp/said"
	} | sed -e 's|[^ "]*/mailhaul/secrets|/etc/mailhaul/secrets|g' \
	    >"$tmp/got"
}

for rc in "$folder"/*.rc; do
	name=$(basename "$rc" .rc)
	import "$name.rc"
	test "$1" != --write || cp "$tmp/got" "$folder/$name.out"
	diff "$folder/$name.out" "$tmp/got" >"$tmp/why"
	ok "$name: as it was"
	sed '/^exit [0-9]*$/,$d' "$tmp/got" >"$tmp/$name.conf"
	"$mailhaul" -c "$tmp/$name.conf" check >"$tmp/why" 2>&1
	ok "$name: is a good configuration"
done

umask 000
import --secrets "$tmp/secrets" --output "$tmp/out.conf" complete.rc
umask 022
grep -q '^exit 0$' "$tmp/got" && test ! -e "$tmp/state"
ok 'with everything carried over it is 0, and there is no state'
cat >"$tmp/want" <<END
-rw------- pop.one.example
-rw------- pop.three.example
-rw------- pop.two.example
-rw------- to-ann
-rw------- to-bob
END
(cd "$tmp/secrets" && ls -l) | awk 'NR > 1 { print $1, $NF }' >"$tmp/has"
diff "$tmp/want" "$tmp/has" >"$tmp/why"
ok 'secrets are their owner'\''s'
printf 'one!\nthree\ntwo\nto the relay\nto the relay\n' >"$tmp/want"
cat "$tmp/secrets"/* >"$tmp/has"
diff "$tmp/want" "$tmp/has" >"$tmp/why"
ok 'secrets are whole'
! grep -n -e 'one!' -e three$ -e 'to the relay' "$tmp/got" "$tmp/out.conf" \
    >"$tmp/why"
ok 'secrets are nowhere else'
"$mailhaul" -c "$tmp/out.conf" check >"$tmp/why" 2>&1
ok 'with secrets it is a good configuration'

cp "$tmp/out.conf" "$tmp/before"
import --output "$tmp/out.conf" typical.rc
grep -q '^exit 73$' "$tmp/got" && cmp "$tmp/before" "$tmp/out.conf" >"$tmp/why"
ok 'a file is not replaced'
rm "$tmp/secrets/pop.one.example" "$tmp/secrets/to-ann"
import --secrets "$tmp/secrets" --output "$tmp/new.conf" complete.rc
grep -q '^exit 73$' "$tmp/got" && test ! -e "$tmp/new.conf" &&
    test ! -e "$tmp/secrets/pop.one.example" &&
    test ! -e "$tmp/secrets/to-ann" && test -e "$tmp/secrets/to-bob"
ok 'a secret is not replaced, and what was begun is taken back'

import --destination home complete.rc
! grep -q '^destinations' "$tmp/got" && grep -q 'destination = "home"' "$tmp/got"
ok 'a destination that is there'

printf 'poll a.example proto pop3\n user u pass "ge heim\n' >"$tmp/broken"
import "$tmp/broken"
grep -q '^exit 65$' "$tmp/got" && ! grep -q heim "$tmp/got" &&
    grep -q 'broken:2: an unknown word' "$tmp/got"
ok 'a broken one is not repeated'
import "$tmp/nothing"
grep -q '^exit 66$' "$tmp/got"
ok 'one that is not there'
import
grep -q '^exit 64$' "$tmp/got"
ok 'none'

printf '%s\n' 'set daemon 60' 'poll mx.example proto pop3 uidl' \
    ' user ann pass a ssl keep' 'poll auto.example user bob pass b ssl keep' \
    >"$tmp/rc"
printf '%s\n' 'ann@MX.example 1' 'bob@auto.example 1' 'ann@mx.example 2' \
    'ann@elsewhere.example 3' 'nonsense' >"$tmp/ids"
import "$tmp/rc" "$tmp/ids" --destination home
grep -q '^exit 78$' "$tmp/got" &&
    grep -q '^mx.example: 2 messages that fetchmail fetched' "$tmp/got" &&
    grep -q 'ids:4: messages of ann@elsewhere.example' "$tmp/got" &&
    grep -q 'ids:5: 1 lines' "$tmp/got" &&
    test "$(grep -c 'protocol = "pop3"' "$tmp/got")" = 2
ok 'what is fetched is told by a .fetchids'
import "$tmp/rc" "$tmp/ids" --destination home
grep -q '^mx.example: 2 messages .* (2 of them were on record' "$tmp/got"
ok 'again'
echo "1..$n"
exit $failed
