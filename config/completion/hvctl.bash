# SPDX-License-Identifier: Apache-2.0
# Bash completion: hvctl knows its commands, options and, through mcvd, the names of VMs, nodes and pools.
_hvctl() {
  local IFS=$'\n' status
  COMPREPLY=($(hvctl __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
  status=$?
  # Status 3: a path goes here. Anywhere else the files of this directory would be wrong.
  [[ $status -ne 3 ]] || compopt -o default 2>/dev/null
}
complete -F _hvctl hvctl
