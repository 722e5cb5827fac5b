#!/bin/sh
# SPDX-License-Identifier: ISC
# The message catalog, log.h and the events that are logged are the same.

srcdir=${srcdir:-.}
header=$srcdir/src/base/log.h
catalog=$srcdir/systemd/mailhaul.catalog

tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
: >"$tmp/why"
n=0

# ok NAME: the outcome of the command before it; what it printed says why not.
ok()
{
	result=$?
	n=$((n + 1))
	test "$result" -eq 0 || printf 'not '
	echo "ok $n - $1"
	test "$result" -eq 0 || sed 's/^/# /' "$tmp/why"
}

sed -n 's/^#define \(LOG_ID_[A-Z_]*\) "\(.*\)"$/\1 \2/p' "$header" >"$tmp/ids"
test "$(grep -c '#define LOG_ID_' "$header")" -eq "$(wc -l <"$tmp/ids")" &&
    test -s "$tmp/ids"
ok 'every id of log.h is read'

awk '$2 !~ /^[0-9a-f]+$/ || length($2) != 32 || seen[$2]++' \
    "$tmp/ids" >"$tmp/why"
test ! -s "$tmp/why"
ok 'each is 128 bits of its own'

cut -d' ' -f2 "$tmp/ids" | sort >"$tmp/want"
sed -n 's/^-- //p' "$catalog" | sort >"$tmp/got"
diff "$tmp/want" "$tmp/got" >"$tmp/why"
ok 'the catalog has an entry for each, and no other'

: >"$tmp/why"
while read -r name _; do
	grep -rqw "$name" --include='*.c' "$srcdir/src" ||
	    echo "$name is logged nowhere" >>"$tmp/why"
done <"$tmp/ids"
test ! -s "$tmp/why"
ok 'each is logged somewhere'

# What stands between two entries: three fields, an empty line, a text.
awk '
function finish() {
	if (id != "" && (!subject || !by || !manual || !text))
		print id, "lacks a field or its text"
	subject = by = manual = text = 0
}
/^-- / { finish(); id = $2; head = 1; next }
/^#/ { next }
head && /^Subject: ./ { subject = 1 }
head && /^Defined-By: mailhaul$/ { by = 1 }
head && /^Documentation: man:/ { manual = 1 }
/^$/ { head = 0; next }
!head && id != "" { text = 1 }
END { finish() }' "$catalog" >"$tmp/why"
test ! -s "$tmp/why"
ok 'each entry is complete'

# A field that the journal does not get would stay empty in the text.
grep -o '@[A-Z_]*@' "$catalog" | tr -d @ | sort -u | while read -r field; do
	grep -q "\"$field\"" "$srcdir/src/base/log.c" || echo "$field"
done >"$tmp/why"
test ! -s "$tmp/why"
ok 'every field in a text is one that is logged'
echo "1..$n"
