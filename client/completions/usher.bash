# SPDX-License-Identifier: Apache-2.0
# Completion of usher and usherd for bash. What there is to complete the programs tell themselves:
# their commands and options by --help, policies by the directories where they look.

_usher_options() {
	"$@" --help 2>/dev/null | sed -nE 's/^ +(-[a-zA-Z], )?(--[a-z-]+).*/\2/p; s/^ +(-[a-zA-Z]), .*/\1/p'
}

_usher_policies() {
	local directory file

	for directory in "${XDG_CONFIG_HOME:-$HOME/.config}/usher/policies" /etc/usher/policies \
		"$(_usher_shipped)"; do
		for file in "$directory"/*.ini; do
			[[ -e $file ]] && basename "$file" .ini
		done
	done | sort -u
}

# Beside the program that was found: BIN/../share.
_usher_shipped() {
	local program

	program=$(type -P usher) && printf '%s\n' "$(dirname "$program")/../share/usher/policies"
}

_usher_reply() {
	mapfile -t COMPREPLY < <(compgen "$@" -- "$current")
}

# The place of usher run's COMMAND in COMP_WORDS, or nothing.
_usher_program() {
	local i

	for ((i = 2; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--) printf '%s\n' $((i + 1)) && return ;;
		-p | --policy | -s | --set | -l | --log | --net) ((i++)) ;;
		-*) ;;
		*) printf '%s\n' "$i" && return ;;
		esac
	done
}

_usher_value() {
	case $1 in
	-p | --policy) _usher_reply -W "$(_usher_policies)" -f ;;
	-l | --log | -o | --output | -s | --socket) [[ $2 != run || $1 != -s ]] && _usher_reply -f ;;
	--net) _usher_reply -W 'host broker none' ;;
	-v | --verdict) [[ $2 == monitor ]] && _usher_reply -W 'allow deny inject kill' ;;
	-o | --operation) _usher_reply -W 'read write create remove metadata execute stat connect bind' ;;
	*) return 1 ;;
	esac
}

_usher() {
	local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	local command=${COMP_WORDS[1]} program

	if ((COMP_CWORD == 1)); then
		_usher_reply -W "$(usher --help 2>/dev/null | sed -nE 's/^  ([a-z]+) .*/\1/p') --help --version"
		return
	fi
	if [[ $command == run ]]; then
		program=$(_usher_program)
		if [[ $program ]]; then
			if ((program == COMP_CWORD)); then
				_usher_reply -c
			else
				_usher_reply -f
			fi
			return
		fi
	fi
	if [[ $command == monitor && $before == -o ]]; then
		before=--operation
	elif [[ $command == metrics && $before == -o ]]; then
		before=--output
	fi
	if _usher_value "$before" "$command"; then
		return
	fi
	if [[ $current == -* ]]; then
		_usher_reply -W "$(_usher_options usher "$command")"
	elif [[ $command == run ]]; then
		_usher_reply -c
	elif [[ $command == check ]]; then
		_usher_reply -W "$(_usher_policies)" -f
	elif [[ $command == explain ]]; then
		_usher_reply -W 'open create remove metadata stat exec connect send bind resolve socket syscall' -f
	elif [[ $command == sessions ]]; then
		_usher_reply -W 'list end'
	fi
}

_usherd() {
	local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}

	case $before in
	-c | --config | -s | --socket) _usher_reply -f ;;
	*) _usher_reply -W "$(_usher_options usherd)" ;;
	esac
}

complete -o filenames -F _usher usher
complete -o filenames -F _usherd usherd
