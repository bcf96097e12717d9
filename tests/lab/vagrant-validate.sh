#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Checks vagrant/Vagrantfile for both providers, without running either. Exit 77 (skipped) when vagrant is not installed.
# VirtualBox need not be there: a stand-in that tells its version makes Vagrant check that provider's block too.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
command -v vagrant >/dev/null 2>&1 || { echo "vagrant is not installed; install: vagrant vagrant-libvirt"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir "$work/bin"
cat >"$work/bin/VBoxManage" <<'END'
#!/bin/sh
[ "$1" = --version ] && echo 7.0.14r161095
END
chmod +x "$work/bin/VBoxManage"

cd "$here/../../vagrant"
export VAGRANT_HOME="$work/home" VAGRANT_DOTFILE_PATH="$work/dot" VAGRANT_CHECKPOINT_DISABLE=1
check() {
    name=$1
    shift
    echo "validate $name"
    # Vagrant's own words are for the failure only: it warns of much that is none.
    env "$@" vagrant validate >"$work/out" 2>&1 || { cat "$work/out"; echo "the Vagrantfile is not valid for $name"; exit 1; }
}
check "libvirt, KVM" VAGRANT_DEFAULT_PROVIDER=libvirt
check "libvirt, emulated" VAGRANT_DEFAULT_PROVIDER=libvirt LAB_TCG=1
check "virtualbox" VAGRANT_DEFAULT_PROVIDER=virtualbox PATH="$work/bin:$PATH"

# The check must be able to fail: a misspelt setting in each provider's block is found.
mkdir "$work/broken"
for provider in libvirt virtualbox; do
    sed "s/$provider\.memory/$provider.memoryy/" Vagrantfile >"$work/broken/Vagrantfile"
    cp nodes.conf "$work/broken/"
    if (cd "$work/broken" && env VAGRANT_DEFAULT_PROVIDER="$provider" PATH="$work/bin:$PATH" vagrant validate) >"$work/out" 2>&1; then
        echo "a broken $provider block passed validation"
        exit 1
    fi
    grep -q memoryy "$work/out" || { cat "$work/out"; exit 1; }
done
echo "both providers' blocks are valid"
