/**
 * The shell text that updates and reboots a machine, and that undoes a change. By the rules of files/scripts.ts: constants
 * only, and a hollow machine recognises each by equality.
 */

/** Where an update keeps what it found, through a reboot. */
export const UPDATE_DIR = '/var/lib/cluster/update';
export const UPDATE_UNIT = 'cluster-update.service';

/** `$1` = boot id without dashes: reboots if this is still that boot. Prints `other` where it is not. */
export const REBOOT_SCRIPT = `boot=$(tr -d - </proc/sys/kernel/random/boot_id)
[ "$boot" = "$1" ] || { echo other; exit 0; }
sync
exec systemctl reboot
`;

/**
 * Prints a line for each reason to reboot: Debian's mark, a newer kernel of the same flavour, needrestart, dnf. A
 * container has no kernel of its own.
 */
export const REBOOT_NEEDED_SCRIPT = `export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
if [ -e /run/reboot-required ]; then
  p=$(sort -u /run/reboot-required.pkgs 2>/dev/null | paste -s -d ' ' -)
  echo "/run/reboot-required is there\${p:+: $p}"
fi
systemd-detect-virt --container --quiet 2>/dev/null && exit 0
running=$(uname -r)
flavour() { printf '%s' "$1" | sed -n 's/^.*[0-9]\\(-[a-z][a-z0-9-]*\\)$/\\1/p'; }
own=$(flavour "$running")
newest=$(for f in /boot/vmlinuz-*; do
  v=\${f#/boot/vmlinuz-}
  case $v in '*' | 0-rescue-* | *.old) continue ;; esac
  [ "$(flavour "$v")" = "$own" ] && printf '%s\\n' "$v"
done | sort -V | tail -n 1)
if [ -n "$newest" ] && [ "$newest" != "$running" ] &&
  [ "$(printf '%s\\n%s\\n' "$running" "$newest" | sort -V | tail -n 1)" = "$newest" ]; then
  echo "kernel $running runs, $newest is installed"
fi
if command -v needrestart >/dev/null 2>&1; then
  case $(needrestart -b -r l -k 2>/dev/null | sed -n 's/^NEEDRESTART-KSTA: *//p') in
    2 | 3) echo 'needrestart says that the kernel is outdated' ;;
  esac
fi
if command -v dnf >/dev/null 2>&1 && dnf needs-restarting -r 2>/dev/null | grep -q 'Reboot is required'; then
  echo 'dnf needs-restarting says so'
fi
exit 0
`;

/** What the unit of an update runs; `$1` = ticket. Its result is written last, and survives the unit. */
export const UPDATE_SCRIPT = `export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive
d=${UPDATE_DIR}/$1
list() {
  if command -v dpkg-query >/dev/null 2>&1; then
    dpkg-query -W -f '\${db:Status-Abbrev} \${Package}:\${Architecture} \${Version}\\n' | sed -n 's/^i. *//p'
  else
    rpm -qa --qf '%{NAME}.%{ARCH} %{VERSION}-%{RELEASE}\\n'
  fi
}
list >"$d.before"
if command -v apt-get >/dev/null 2>&1; then
  apt-get -q -o DPkg::Lock::Timeout=300 update &&
    apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confdef \\
      -o Dpkg::Options::=--force-confold --with-new-pkgs upgrade
elif command -v dnf >/dev/null 2>&1; then
  dnf -y upgrade
else
  echo 'neither apt-get nor dnf is installed'
  (exit 127)
fi
code=$?
list >"$d.after"
echo "$code" >"$d.result.new"
mv -f "$d.result.new" "$d.result"
exit "$code"
`;

/**
 * `$1` = ticket, on stdin UPDATE_SCRIPT. Starts the update of this ticket unless it was started before; prints `busy`
 * where another one is under way.
 */
export const UPDATE_START_SCRIPT = `set -eu
umask 077
d=${UPDATE_DIR}
mkdir -p "$d"
if [ -e "$d/$1.result" ]; then exit 0; fi
if systemctl --quiet is-active ${UPDATE_UNIT}; then
  if [ -e "$d/$1.sh" ]; then exit 0; fi
  echo busy
  exit 0
fi
find "$d" -type f ! -name "$1.*" -exec rm -f {} +
cat >"$d/$1.sh"
systemd-run --quiet --unit=${UPDATE_UNIT} --collect --description='Update of packages by cluster' /bin/sh "$d/$1.sh" "$1"
`;

/** `$1` = ticket: prints `running`, or `lost` for one that left no result, or `code N` and then both lists of packages. */
export const UPDATE_RESULT_SCRIPT = `d=${UPDATE_DIR}/$1
if [ ! -e "$d.result" ]; then
  if systemctl --quiet is-active ${UPDATE_UNIT}; then echo running; exit 0; fi
  [ -e "$d.result" ] || { echo lost; exit 0; }
fi
echo "code $(cat "$d.result")"
sed 's/^/before /' "$d.before"
sed 's/^/after /' "$d.after"
`;

/**
 * `$1` = name, `$2` = seconds, on stdin a shell script: it runs as a unit of its own when so much time has passed, unless
 * `UNDO_STOP_SCRIPT` comes first.
 */
export const UNDO_SCRIPT = `set -eu
umask 077
mkdir -p /run/cluster
cat >"/run/cluster/$1.sh"
systemd-run --quiet --unit="$1" --collect --on-active="$2" --timer-property=AccuracySec=100ms --description='Undo of a change by cluster' /bin/sh "/run/cluster/$1.sh"
`;

/** `$1` = name. Prints `disarmed`, or `late` where the time had passed and the undo has run or runs. */
export const UNDO_STOP_SCRIPT = `if systemctl --quiet is-active "$1.timer" && ! systemctl --quiet is-active "$1.service"; then
  systemctl stop "$1.timer"
  rm -f "/run/cluster/$1.sh"
  echo disarmed
else
  echo late
fi
`;

const SCRIPTS = {
  reboot: REBOOT_SCRIPT,
  'reboot-needed': REBOOT_NEEDED_SCRIPT,
  'update-start': UPDATE_START_SCRIPT,
  'update-result': UPDATE_RESULT_SCRIPT,
  undo: UNDO_SCRIPT,
  'undo-stop': UNDO_STOP_SCRIPT,
} as const;

/** The argument list that runs one of the scripts. */
export function rebootScript(name: keyof typeof SCRIPTS, ...args: readonly string[]): string[] {
  return ['sh', '-c', SCRIPTS[name], `cluster-${name}`, ...args];
}
