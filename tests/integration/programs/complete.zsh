# SPDX-License-Identifier: Apache-2.0
# complete.zsh DIRECTORY LINE: types LINE and a tab into a zsh of its own, and prints the line that
# becomes of it.
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PS1= PS2= RPS1=; unsetopt zle_bracketed_paste prompt_sp; unset zle_bracketed_paste"
zpty -w shell "fpath=($1 \$fpath); autoload -Uz compinit; compinit -u -D"
zpty -w shell "show() { zle expand-or-complete; print -r -- \"<line>\$BUFFER</line>\"; zle kill-whole-line }"
zpty -w shell "zle -N show; bindkey '^I' show; print ready-\$((40 + 2))"
zpty -r -m shell line '*ready-42*'
zpty -w -n shell "$2"$'\t'
zpty -r -m shell line '*</line>*'
line=${line##*<line>}
print -r -- "${${line%%</line>*}% }"
zpty -d shell
