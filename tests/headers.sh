#!/bin/sh
# SPDX-License-Identifier: ISC
# Each header compiles alone, and twice.
src=${srcdir:-.}/src
count=0
failed=0

for header in "$src"/*/*.h; do
	count=$((count + 1))
	name=${header#"$src"/}
	if out=$(printf '#include "%s"\n#include "%s"\n' "$name" "$name" |
	    ${CC:-cc} -std=c11 -D_GNU_SOURCE -I"$src" -I. $LIB_CFLAGS \
		-Wall -Wextra -Werror -fsyntax-only -x c - 2>&1); then
		echo "ok $count - $name"
	else
		failed=1
		echo "not ok $count - $name"
		echo "$out" | sed 's/^/# /'
	fi
done
echo "1..$count"
exit $failed
