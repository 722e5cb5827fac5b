#!/bin/sh
# SPDX-License-Identifier: ISC
# The completions of contrib/completion, in the shells that are there; with a
# mailhaul that knows names without a daemon.
srcdir=${srcdir:-.}
folder=$srcdir/contrib/completion
mailhaul=$(cd "$(dirname "${MAILHAUL:-./mailhaul}")" && pwd)/mailhaul
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
mkdir "$tmp/bin"
cat >"$tmp/bin/mailhaul" <<END
#!/bin/sh
case "\$*" in
*'--complete accounts') printf 'hotmail\nwork\n' ;;
*'--complete destinations') echo home ;;
*'--complete held') echo abcdefgh ;;
*) exec "$mailhaul" "\$@" ;;
esac
END
chmod 755 "$tmp/bin/mailhaul"
PATH=$tmp/bin:$PATH
export PATH
n=0
failed=0

check()
{
	n=$((n + 1))
	if test "$2" = "$3"; then
		echo "ok $n - $1"
	else
		failed=1
		echo "not ok $n - $1"
		echo "# want: $2"
		echo "# got:  $3"
	fi
}

# words LINE...: what a bash that is asked offers behind the last word.
words()
{
	bash --norc -c '
	. "$0"
	compopt() { :; }
	COMP_WORDS=("$@")
	COMP_CWORD=$(($# - 1))
	_mailhaul
	echo "${COMPREPLY[*]}"
	' "$folder/mailhaul" "$@"
}

if command -v bash >/dev/null; then
	check 'commands' 'poll pause providers' "$(words mailhaul p)"
	check 'options in front' '--state' "$(words mailhaul --st)"
	check 'accounts' 'hotmail work' "$(words mailhaul poll '')"
	check 'behind options' 'work' \
	    "$(words mailhaul --socket /x -c y poll w)"
	check 'both' 'hotmail home' "$(words mailhaul resume ho)"
	check 'of providers' 'gmail gmx' "$(words mailhaul providers g)"
	check 'of status' '--json --watch' "$(words mailhaul status -)"
	check 'of held' 'list show release drop' \
	    "$(words mailhaul held '' | sed 's/ --.*//')"
	check 'held messages' 'abcdefgh' "$(words mailhaul held drop a)"
	check 'of --account' 'hotmail work' \
	    "$(words mailhaul held drop --all --account '')"
	# Every command that there is has its words, or is known to have none.
	for command in $("$mailhaul" --complete commands); do
		grep -qE "(\||	)$command(\)|\|)" "$folder/mailhaul" ||
		    test "$command" = reload || echo "$command"
	done >"$tmp/missing"
	check 'no command is forgotten' '' "$(cat "$tmp/missing")"
else
	n=$((n + 1))
	echo "ok $n - bash # SKIP no bash"
fi
for shell in zsh fish; do
	file=$folder/_mailhaul
	test $shell = zsh || file=$folder/mailhaul.fish
	if command -v $shell >/dev/null; then
		check "$shell reads it" '' "$($shell -n "$file" 2>&1)"
	else
		n=$((n + 1))
		echo "ok $n - $shell # SKIP no $shell"
	fi
done
echo "1..$n"
exit $failed
