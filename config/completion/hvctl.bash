# SPDX-License-Identifier: Apache-2.0
# Bash completion: hvctl knows its commands, options and, through mcvd, the names of VMs, nodes and pools.
_hvctl() {
  local IFS=$'\n'
  COMPREPLY=($(hvctl __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
  # Paths where hvctl has nothing to offer.
  [[ ${#COMPREPLY[@]} -gt 0 ]] || compopt -o default 2>/dev/null
}
complete -F _hvctl hvctl
