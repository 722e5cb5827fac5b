#!/bin/sh
# SPDX-License-Identifier: ISC
# The house has floors: what a file of src/ may include is said here, once, and
# held against every #include "folder/x.h".
src=${srcdir:-.}/src
count=0
failed=0

# may FOLDER [FOLDER...]: the first may include itself and the others.
may()
{
	count=$((count + 1))
	folder=$1
	shift
	wrong=$(grep -n '^[ 	]*#[ 	]*include[ 	]*"' \
	    "$src/$folder"/*.[ch] /dev/null |
	    while IFS= read -r line; do
		file=${line#*\"}
		file=${file%%\"*}
		for allowed in "$folder" "$@"; do
			test "${file%/*}" = "$allowed" && continue 2
		done
		test "$file" = config.h || echo "# ${line#"$src"/}"
	    done)
	if test -z "$wrong" && test -d "$src/$folder"; then
		echo "ok $count - $folder includes: $folder $*"
	else
		failed=1
		echo "not ok $count - $folder includes: $folder $*"
		echo "$wrong"
	fi
}

may base
may proto base
may net base
may store base
may conf base
may auth base net
may relay base proto net store conf auth
may daemon base proto net store conf auth relay
may cli base proto net store conf auth relay

# A folder that no rule above is about would escape them all.
count=$((count + 1))
unknown=$(ls "$src" | grep -vxE \
    'base|proto|net|store|conf|auth|relay|daemon|cli|\..*')
if test -n "$unknown"; then
	failed=1
	printf 'not '
fi
echo "ok $count - every folder of src has a rule" $unknown
echo "1..$count"
exit $failed
