#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs, upgrades, removes and purges the package in a throw-away copy of this machine's root (an overlay in a mount
# namespace of its own). Dependencies are not installed here: the lab does that with the whole package.
#   package_test.sh BUILD_DIRECTORY
set -eu

if [ "${2:-}" != inside ]; then
    [ "$(id -u)" = 0 ] && [ -f /etc/debian_version ] || { echo "needs root on Debian"; exit 77; }
    space=$(mktemp -d)
    trap 'rm -rf "$space"' EXIT
    (cd "$1" && cpack -G DEB -B "$space/one" && cpack -G DEB -B "$space/two" -R 9.9.9) >"$space/log" 2>&1 || { cat "$space/log"; exit 1; }
    unshare --mount "$0" "$space" inside
    exit 0
fi

space=$1/space
fail() { echo "FAILED: $*"; exit 1; }
mkdir "$space"
mount -t tmpfs space "$space"
mkdir "$space/upper" "$space/work" "$space/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$space/upper,workdir=$space/work" "$space/root" || { echo "no overlay here"; exit 77; }
for directory in dev proc; do mount --rbind "/$directory" "$space/root/$directory"; done
for directory in run tmp; do mount -t tmpfs "$directory" "$space/root/$directory"; done
cp "$1"/one/*.deb "$space/root/tmp/one.deb"
cp "$1"/two/*.deb "$space/root/tmp/two.deb"
inside() { DEBIAN_FRONTEND=noninteractive chroot "$space/root" "$@"; }
root=$space/root
wants=$root/etc/systemd/system/multi-user.target.wants/mcvd.service
leave=$root/etc/systemd/system/multi-user.target.wants/mcv-leave.service

# By the package's own list: this machine's dpkg may leave manuals out.
listed=$(dpkg-deb -c "$1/one/"*.deb)
for page in "$(dirname "$0")"/../../../docs/man/*.[1578]; do
    echo "$listed" | grep -q "/usr/share/man/man${page##*.}/$(basename "$page")\$" || fail "the manual lacks $(basename "$page")"
done
for document in quick-start operations upgrade failure-model; do
    echo "$listed" | grep -q "/usr/share/doc/mcv/$document.md\$" || fail "$document.md is missing"
done

inside dpkg --force-depends -i /tmp/one.deb >/dev/null 2>&1 || fail "install"
inside getent passwd mcv-guest | grep -q nologin || fail "the guests' user is missing"
inside id -nG mcv-guest | grep -qw kvm || fail "the guests' user is not in group kvm"
[ "$(stat -c %a "$root/var/lib/mcv")" = 700 ] || fail "/var/lib/mcv must be 0700"
[ -d "$root/run/mcv/vm" ] && [ -d "$root/var/log/mcv/console" ] || fail "directories"
[ -L "$wants" ] || fail "the service is not enabled"
[ -L "$leave" ] || fail "the orderly leave at shutdown is not enabled"
[ ! -e "$root/etc/systemd/system/timers.target.wants/mcv-verify.timer" ] || fail "the timer must be off"

# What belongs to the administrator survives an upgrade: his configuration, and his switching the service off.
echo '# mine' >>"$root/etc/mcv/mcvd.toml"
rm "$wants"
mkdir -p "$root/var/lib/mcv/keys"
echo key >"$root/var/lib/mcv/keys/node.pem"
inside dpkg --force-depends -i /tmp/two.deb >/dev/null 2>&1 || fail "upgrade"
inside dpkg-query -W -f '${Version}' mcv | grep -q 9.9.9 || fail "not upgraded"
grep -q '# mine' "$root/etc/mcv/mcvd.toml" || fail "the upgrade replaced the configuration"
[ ! -L "$wants" ] || fail "the upgrade switched the service on again"
[ -L "$leave" ] || fail "the upgrade switched the orderly leave off"
[ -f "$root/var/lib/mcv/keys/node.pem" ] || fail "the upgrade removed the key"

inside dpkg -r mcv >/dev/null 2>&1 || fail "remove"
[ -f "$root/etc/mcv/mcvd.toml" ] && [ -f "$root/var/lib/mcv/keys/node.pem" ] || fail "remove took configuration or state"
inside dpkg --force-depends -i /tmp/two.deb >/dev/null 2>&1 || fail "install again"

# Purge never touches data: a DRBD resource file, an image in a directory pool.
mkdir -p "$root/etc/drbd.d" "$root/var/lib/mcv/images"
echo resource >"$root/etc/drbd.d/mcv-vm1-0.res"
echo data >"$root/var/lib/mcv/images/vm1.raw"
# What mcvd writes there beside its store and keys: every path of src/daemon/node/paths.h.
ours=$(sed -n 's,.*return state_directory + "/\([^"]*\)".*,\1,p' "$(dirname "$0")/../../../src/daemon/node/paths.h")
[ -n "$ours" ] || fail "no path of mcvd's own files was found"
for file in $ours; do
    echo secret >"$root/var/lib/mcv/$file"
    echo secret >"$root/var/lib/mcv/.mcv-tmp.$file.abcdef"
done
inside dpkg -P mcv >"$root/tmp/purge.log" 2>&1 || { cat "$root/tmp/purge.log"; fail "purge"; }
[ ! -e "$root/etc/mcv" ] && [ ! -e "$root/var/lib/mcv/keys" ] && [ ! -e "$root/run/mcv" ] || fail "purge left configuration or state"
left=$(find "$root/var/lib/mcv" -type f ! -path '*/images/*')
[ -z "$left" ] || fail "purge left $left"
[ -f "$root/etc/drbd.d/mcv-vm1-0.res" ] && [ -f "$root/var/lib/mcv/images/vm1.raw" ] || fail "purge removed data"
grep -q 'mcv-vm1-0.res' "$root/tmp/purge.log" || { cat "$root/tmp/purge.log"; fail "purge does not say what it leaves"; }
echo "package: install, upgrade, remove and purge are right"
