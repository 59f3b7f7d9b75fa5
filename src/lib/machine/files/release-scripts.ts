/**
 * The shell text that puts a release on a machine, by the rules of scripts.ts: constants only, POSIX sh.
 * On a machine: /opt/cluster-HASH (unpacked releases), /opt/cluster (symlink to the current one), /usr/local/bin/cluster
 * (symlink into it), /etc/cluster/environment and the store's certificates beside it.
 */

import { LOCK_SNIPPET } from './scripts.ts';

/** The files that SETTINGS_SCRIPT owns in /etc/cluster, in the order in which they are replaced. */
export const SETTINGS_FILES = ['store-ca.pem', 'store-cert.pem', 'store-key.pem', 'environment'] as const;

/** Exit codes of RELEASE_SCRIPT. */
export const RELEASE_EXIT = { foreign: 3, incomplete: 5, unusable: 6, locked: 7 } as const;

/**
 * Prints `KEY VALUE` lines: `machine-id`, `arch`, `foreign` (something that is not ours is in our place), `current` and
 * `version` (of /opt/cluster), `present HASH` for each unpacked release, `file NAME MODE SHA256`, and `running UNIT HASH
 * SETTINGS` for each process of a unit that cluster installed: what it was started from.
 */
export const INSTALLED_SCRIPT = `export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
printf 'machine-id %s\\narch %s\\n' "$(cat /etc/machine-id)" "$(uname -m)"
if [ -L /opt/cluster ]; then
  sed -n 's/^hash /current /p; s/^version /version /p' /opt/cluster/RELEASE 2>/dev/null
elif [ -e /opt/cluster ]; then
  echo 'foreign /opt/cluster'
fi
for d in /opt/cluster-*; do
  if [ -f "$d/RELEASE" ] && [ -x "$d/bin/cluster" ]; then echo "present \${d#/opt/cluster-}"; fi
done
for n in ${SETTINGS_FILES.join(' ')}; do
  f=/etc/cluster/$n
  if [ -f "$f" ]; then echo "file $n $(stat -c %a "$f") $(sha256sum <"$f" | cut -d ' ' -f 1)"; fi
done
ls -l /proc/[0-9]*/exe 2>/dev/null |
sed -n 's|.* /proc/\\([0-9]*\\)/exe -> /opt/cluster-\\([0-9a-f]*\\)/bin/node.*|\\1 \\2|p' |
while read -r pid hash; do
  unit=$(sed -n 's|.*/\\([^/]*\\.service\\)$|\\1|p' "/proc/$pid/cgroup" 2>/dev/null | head -n 1)
  [ -n "$unit" ] && [ -e "/etc/cluster/units/$unit" ] || continue
  settings=$(tr '\\0' '\\n' 2>/dev/null <"/proc/$pid/environ" | sed -n 's/^CLUSTER_SETTINGS=//p' | head -n 1)
  echo "running $unit $hash $settings"
done
exit 0
`;

/**
 * `$1` = short hash, `$2` = full hash, `$3` = `send` (the release's tar.gz comes on stdin) or `present`. Unpacks
 * beside, tries the new program, and only then renames: whatever ends this early leaves the old release in its place.
 * Of the others it keeps the one before and those that still run, since Node reads parts of them late. The lock is held
 * only after stdin has ended, so a connection that hangs holds up nobody. Prints `kept PATH` for a program of that name
 * that is not ours.
 */
export const RELEASE_SCRIPT = `set -eu
umask 022
export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
new=/opt/cluster-$1
mkdir -p /opt /usr/local/bin /etc/cluster
if [ -e /opt/cluster ] && [ ! -L /opt/cluster ]; then
  echo 'foreign /opt/cluster'
  exit 3
fi
stage=
if [ "$3" = send ]; then
  find /opt -maxdepth 1 -name '.cluster-stage.*' -mmin +60 -exec rm -rf {} + || :
  stage=$(mktemp -d /opt/.cluster-stage.XXXXXX)
  trap 'rm -rf "$stage"' EXIT
  trap 'exit 130' HUP INT TERM
  tar -x -z -m -o -f - -C "$stage" --strip-components=1
  grep -qx "hash $2" "$stage/RELEASE" || exit 5
  "$stage/bin/cluster" version </dev/null >/dev/null || exit 6
  chmod 755 "$stage"
  sync
fi
lock=/etc/cluster/install-lock
${LOCK_SNIPPET}
if [ -n "$stage" ] && [ ! -e "$new" ]; then mv "$stage" "$new"; fi
old=$(readlink /opt/cluster || :)
rm -f /opt/.cluster-link.*
ln -s "cluster-$1" "/opt/.cluster-link.$$"
mv -T -f "/opt/.cluster-link.$$" /opt/cluster
bin=/usr/local/bin/cluster
if [ ! -e "$bin" ] && [ ! -L "$bin" ]; then
  ln -s /opt/cluster/bin/cluster "$bin"
elif [ "$(readlink "$bin" || :)" != /opt/cluster/bin/cluster ]; then
  echo "kept $bin"
fi
if [ "$old" = "cluster-$1" ]; then exit 0; fi
for d in /opt/cluster-*; do
  [ "$d" != "$new" ] && [ "$d" != "/opt/\${old##*/}" ] && [ -f "$d/RELEASE" ] || continue
  if ls -l /proc/[0-9]*/exe 2>/dev/null | grep -qF -- "-> $d/"; then continue; fi
  rm -rf "$d"
done
`;

/** Reads a tar on stdin: what is to be in /etc/cluster of SETTINGS_FILES, and last `complete`. Others go. Mode 0600. */
export const SETTINGS_SCRIPT = `set -eu
export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
umask 022
mkdir -p /etc/cluster
umask 077
find /etc/cluster -maxdepth 1 -name '.settings.*' -mmin +60 -exec rm -rf {} + || :
stage=$(mktemp -d /etc/cluster/.settings.XXXXXX)
trap 'rm -rf "$stage"' EXIT
trap 'exit 130' HUP INT TERM
tar -x -m -o -f - -C "$stage"
[ -f "$stage/complete" ] || exit 5
for n in ${SETTINGS_FILES.join(' ')}; do
  if [ -f "$stage/$n" ]; then
    chmod 600 "$stage/$n"
    mv -f "$stage/$n" "/etc/cluster/$n"
  else
    rm -f "/etc/cluster/$n"
  fi
done
`;

/** Takes off a machine what is ours and no unit: the program, settings, the target of launched units. */
export const UNINSTALL_SCRIPT = `set -u
sys=/etc/systemd/system
rm -f "$sys/multi-user.target.wants/cluster.target"
first=
[ -f "$sys/cluster.target" ] && read -r first <"$sys/cluster.target"
[ "$first" = '# Written by cluster' ] && rm -f "$sys/cluster.target"
rmdir "$sys/cluster.target.wants" 2>/dev/null
[ "$(readlink /usr/local/bin/cluster)" = /opt/cluster/bin/cluster ] && rm -f /usr/local/bin/cluster
[ -L /opt/cluster ] && rm -f /opt/cluster
for d in /opt/cluster-*; do
  [ -f "$d/RELEASE" ] && rm -rf "$d"
done
cd /etc/cluster 2>/dev/null || exit 0
rm -f ${SETTINGS_FILES.join(' ')} install-lock lock
rm -rf unsettled
rmdir units 2>/dev/null
cd / && rmdir /etc/cluster 2>/dev/null
exit 0
`;
