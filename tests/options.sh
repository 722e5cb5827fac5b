#!/bin/sh
# SPDX-License-Identifier: ISC
# The option table, mailhaul.conf(5) and the sample say the same, and the
# manual pages are clean.

srcdir=${srcdir:-.}
mailhaul=${MAILHAUL:-./mailhaul}
page=$srcdir/doc/mailhaul.conf.5
sample=$srcdir/etc/mailhaul.conf.sample

tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
: >"$tmp/why"
echo 1..11
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

$mailhaul check --options >"$tmp/table" && test -s "$tmp/table"
ok 'the table is printed'

# scope, name, default of each option, in the order of the alphabet.
awk -F '\t' '{ print $1, $2, $4 }' "$tmp/table" | sort >"$tmp/want"

# The manual: an entry each, under the section of its scope, that says
# "Required." or has its default in quotes.  Lists of entries are no options.
awk '
function finish() {
	if (name != "")
		print scope, name, value
	name = ""
}
/^\.Sh / {
	finish()
	scope = $2 == "TOP" ? "global" : $2 == "DESTINATIONS" ? \
	    "destination" : $2 == "ACCOUNTS" ? "account" : \
	    $2 == "FOLDERS" ? "folder" : ""
}
/^\.Ss / { finish(); scope = "" }
/^\.It Ic / {
	finish()
	if (scope != "" && $3 != "accounts" && $3 != "destinations") {
		name = $3
		value = "-"
	}
}
/^Required\.$/ { value = "(required)" }
default_next { value = $2; default_next = 0 }
/^The default is$/ { default_next = 1 }
END { finish() }
' "$page" | sort >"$tmp/got"
diff "$tmp/want" "$tmp/got" >"$tmp/why"
ok 'mailhaul.conf(5) has every option with its default, and no other'

# Ranges and choices: each part stands in the entry.
awk -F '\t' '
NR == FNR { range[$1 " " $2] = $5; next }
function finish(    i, n, part) {
	n = split(range[scope " " name], part, /\.\.|\|/)
	for (i = 1; i <= n; i++)
		if (part[i] != "-" && index(text, part[i]) == 0)
			print scope, name, "lacks", part[i]
	name = ""
	text = ""
}
/^\.S[hs] / {
	finish()
	scope = /TOP/ ? "global" : /DESTINATIONS/ ? "destination" : \
	    /ACCOUNTS/ ? "account" : /FOLDERS/ ? "folder" : ""
}
/^\.It Ic / { finish(); split($0, word, " "); name = word[3] }
{ text = text " " $0 }
' "$tmp/table" "$page" >"$tmp/why"
test ! -s "$tmp/why"
ok 'mailhaul.conf(5) has every range and choice'

# The sample: what is required is set, the rest is commented out; what has a
# default shows it.
awk '
/^[a-z]+ = \($/ {
	scope = $1 == "accounts" ? "account" : "destination"
	next
}
/^\);/ { scope = "" }
/^ *(# )?[a-z_0-9]+ = / {
	commented = /^ *# /
	sub(/^ *(# )?/, "")
	name = $1
	sub(/^[a-z_0-9]+ = /, "")
	sub(/;.*/, "")
	gsub(/"/, "")
	print scope == "" ? "global" : scope, name, \
	    commented ? $0 : "(required)"
}
' "$sample" | sort >"$tmp/sample"
# An option without a default shows an example.  A password stands for its token,
# a host for its preset.
awk '
NR == FNR { want[$1 " " $2] = $3; next }
want[$1 " " $2] == "-" && ($3 != "(required)" || $2 ~ /^(password|host)$/) { $3 = "-" }
{ print $1, $2, $3 }
' "$tmp/want" "$tmp/sample" >"$tmp/got"
grep -v '^folder ' "$tmp/want" | diff - "$tmp/got" >"$tmp/why"
ok 'the sample has every option with its default, and no other'

# A folder in braces has each of its options.
folder=$(sed -n 's/^ *# .*\({ name = .* }\) )$/\1/p' "$sample")
echo "$folder" | tr '{;' '\n\n' | sed -n 's/^ *\([a-z_]*\) = .*/folder \1/p' |
    sort >"$tmp/got"
grep '^folder ' "$tmp/want" | cut -d ' ' -f 1,2 | diff - "$tmp/got" >"$tmp/why"
ok 'and every option of a folder'

$mailhaul -c "$sample" check >"$tmp/why" 2>&1
ok 'the sample is a good configuration'

sed -e 's/^\( *\)# \([a-z_0-9]* = \)/\1\2/' -e '/ca_file/d' \
    -e '/^ *folders = /d' -e 's/^ *# *\(( .*{ name = .* )\)$/folders = \1;/' \
    "$sample" >"$tmp/all.conf"
$mailhaul -c "$tmp/all.conf" check >"$tmp/why" 2>&1
ok 'so it is with every option set'

for name in mailhaul.1 mailhauld.8 mailhaul.conf.5 mailhaul-control.7; do
	if ! command -v mandoc >/dev/null; then
		n=$((n + 1))
		echo "ok $n - $name # SKIP no mandoc"
		continue
	fi
	# Whether other pages are installed says nothing about ours.
	mandoc -Tlint "$srcdir/doc/$name" 2>&1 |
	    grep -v -e 'referenced manual not found' -e 'mandoc.db' \
	    >"$tmp/why"
	test ! -s "$tmp/why"
	ok "mandoc -Tlint $name"
done
