/**
 * The shell text that runs on machines. Constants only: what varies comes on stdin or as arguments, never in the text,
 * so that a hollow machine can recognise each by equality. POSIX sh and tools as simple as busybox's.
 */

/** `$0` of each script, which process lists show. */
export const SCRIPT = {
  apply: 'cluster-apply',
  manifest: 'cluster-manifest',
  settle: 'cluster-settle',
  facts: 'cluster-facts',
} as const;

/** Where unit files go, and where the manifest of what is ours is kept. */
export const UNIT_DIR = '/etc/systemd/system';
export const MANIFEST_DIR = '/etc/cluster/units';
/** One line: the cluster's id, the generation of the last change that was carried out, and its mark. */
export const OWNER_FILE = '/etc/cluster/cluster';
/**
 * A file for each change of unit files that systemd may not have read yet; it names the units. Whoever finds one that
 * is not its own has come after a run that ended early.
 */
export const UNSETTLED_DIR = '/etc/cluster/unsettled';

/** The hash that the manifest shows of a unit whose install did not reach its end. */
export const PENDING = 'pending';
/** ... and of one whose file somebody else removed. */
export const MISSING = 'missing';

/** Started at boot; wants every launched unit. The first line is how apply knows it as ours. */
export const CLUSTER_TARGET = `# Written by cluster
[Unit]
Description=Units launched by cluster

[Install]
WantedBy=multi-user.target
`;

/** Where systemd looks for units. A file in UNIT_DIR hides one of the same name in most others. */
export const UNIT_DIRS = [
  UNIT_DIR,
  '/etc/systemd/system.control',
  '/etc/systemd/system.attached',
  '/run/systemd/system',
  '/run/systemd/system.control',
  '/run/systemd/system.attached',
  '/run/systemd/transient',
  '/run/systemd/generator.early',
  '/run/systemd/generator',
  '/run/systemd/generator.late',
  '/usr/local/lib/systemd/system',
  '/usr/lib/systemd/system',
  '/lib/systemd/system',
] as const;

/** Units that systemd makes without a file. */
export const BUILT_IN = ['-.slice', 'system.slice', 'init.scope', '-.mount'] as const;

/** Exit codes of APPLY_SCRIPT. */
export const APPLY_EXIT = { foreign: 3, owned: 4, incomplete: 5, locked: 7 } as const;

/** How long a change waits for another one on the same machine; none takes longer than a few renames. */
export const LOCK_SECONDS = 15;

/**
 * Takes the lock of the file in $lock, or ends with 7 and a line that names whoever has it. Opened for reading and
 * writing, since opening for writing would wipe out that name. `flock -w` is not everywhere.
 */
export const LOCK_SNIPPET = `if command -v flock >/dev/null 2>&1; then
  exec 9<>"$lock"
  tries=0
  until flock -n 9; do
    tries=$((tries + 1))
    if [ "$tries" -gt ${LOCK_SECONDS * 10} ]; then
      printf 'locked %s\\n' "$(head -n 1 "$lock" 2>/dev/null | cut -c 1-200)"
      exit 7
    fi
    sleep 0.1 2>/dev/null || { sleep 1; tries=$((tries + 9)); }
  done
  from=\${SSH_CLIENT:-}
  printf '%s, since %s\\n' "\${SUDO_USER:-\${USER:-root}} from \${from%% *}" "$(date '+%Y-%m-%d %H:%M:%S')" >"$lock"
fi`;

/**
 * Reads a tar on stdin: units/NAME, manifest/NAME (hash), pending/NAME, wants/NAME (symlinks), cluster.target,
 * enable/cluster.target (symlink), owner (`HOW ID GENERATION MARK`, see OwnerChange), the lists `claims`, `remove`, `idle`
 * (installed, not launched), and last `complete`.
 * A file that is there already stays untouched, else systemd would ask for a reload that nobody needs. One that is not
 * ours and is byte for byte what would be written is taken over.
 * Everything is written to a stage on the same file system before the first change, so that a full disk or a broken
 * connection changes nothing. The lock is taken only after stdin has ended, so that an operator who vanishes in the
 * middle of an upload holds up nobody; then come renames only. The manifest says `pending` from before the first file is
 * touched until after the last, so that an interrupted run is seen and done again.
 */
export const APPLY_SCRIPT = `set -eu
umask 022
export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
own=/etc/cluster/units
sys=/etc/systemd/system
mkdir -p "$own" /etc/cluster/unsettled "$sys/cluster.target.wants" "$sys/multi-user.target.wants"
find "$sys" -maxdepth 1 -name '.cluster-stage.*' -mmin +60 -exec rm -rf {} + || :
stage=$(mktemp -d "$sys/.cluster-stage.XXXXXX")
trap 'rm -rf "$stage"' EXIT
trap 'exit 130' HUP INT TERM
tar -x -m -o -f - -C "$stage"
[ -f "$stage/complete" ] || exit 5
lock=/etc/cluster/lock
${LOCK_SNIPPET}
exists() {
  case $1 in ${BUILT_IN.join(' | ')}) return 0 ;; esac
  for d in ${UNIT_DIRS.join(' ')}; do
    if [ -e "$d/$1" ] || [ -L "$d/$1" ]; then return 0; fi
  done
  return 1
}
taken() {
  if exists "$1"; then return 0; fi
  case $1 in
    *@*.*) exists "\${1%%@*}@.\${1##*.}" ;;
    *) return 1 ;;
  esac
}
how= id= generation= mark= has= seen=0
if [ -f "$stage/owner" ]; then read -r how id generation mark <"$stage/owner" || :; fi
if [ -f /etc/cluster/cluster ]; then read -r has seen rest </etc/cluster/cluster || :; fi
case $seen in '' | *[!0-9]*) seen=0 ;; esac
if [ -n "$how" ] && [ "$how" != take ] && [ -n "$has" ] && [ "$has" != "$id" ]; then
  printf 'owner %s\\n' "$has"
  exit 4
fi
foreign=0
for f in "$stage"/units/*; do
  n=\${f##*/}
  [ -f "$f" ] && [ ! -e "$own/$n" ] || continue
  if [ -f "$sys/$n" ] && [ ! -L "$sys/$n" ] && cmp -s "$f" "$sys/$n"; then continue; fi
  if taken "$n"; then
    printf 'foreign %s\\n' "$n"
    foreign=1
  fi
done
while read -r k u n; do
  case $n in */* | .*) continue ;; esac
  if [ "$k" = Also ]; then
    if [ -e "$own/$n" ] || [ -e "$stage/units/$n" ]; then continue; fi
  elif [ -L "$sys/$n" ]; then
    t=$(readlink "$sys/$n")
    if [ "\${t##*/}" = "$u" ]; then continue; fi
  fi
  if [ -e "$stage/units/$n" ] || taken "$n"; then
    printf 'claimed %s %s %s\\n' "$k" "$u" "$n"
    foreign=1
  fi
done <"$stage/claims"
if [ -e "$sys/cluster.target" ]; then
  first=
  read -r first <"$sys/cluster.target" || :
  if [ "$first" != '# Written by cluster' ]; then
    printf 'foreign %s\\n' cluster.target
    foreign=1
  fi
fi
[ "$foreign" = 0 ] || exit 3
if [ "$how" = leave ]; then
  rm -f /etc/cluster/cluster
elif [ "$how" = take ] || { [ "$how" = set ] && { [ "$has" != "$id" ] || [ "$seen" -lt "$generation" ]; }; }; then
  printf '%s %s %s\\n' "$id" "$generation" "$mark" >"$stage/owner"
  mv -f "$stage/owner" /etc/cluster/cluster
fi
[ -d "$stage/units" ] || [ -s "$stage/remove" ] || exit 0
for f in "$stage"/units/*; do
  n=\${f##*/}
  if [ -f "$sys/$n" ] && cmp -s "$f" "$sys/$n"; then rm -f "$f"; fi
done
into() {
  to=$1
  shift
  if [ -e "$1" ] || [ -L "$1" ]; then mv -f "$@" "$to/"; fi
}
into /etc/cluster/unsettled "$stage"/unsettled/*
into "$own" "$stage"/pending/*
set --
while read -r n; do
  [ -e "$own/$n" ] || continue
  for l in "$sys"/*.wants/"$n" "$sys"/*.requires/"$n" "$sys"/*.upholds/"$n"; do
    if [ -L "$l" ]; then set -- "$@" "$l"; fi
  done
  for l in "$sys"/*; do
    if [ -L "$l" ]; then
      t=$(readlink "$l")
      if [ "$t" = "$n" ] || [ "$t" = "$sys/$n" ]; then set -- "$@" "$l"; fi
    fi
  done
  set -- "$@" "$sys/$n"
done <"$stage/remove"
if [ $# -gt 0 ]; then rm -f "$@"; fi
set --
while read -r n; do
  if [ -e "$own/$n" ]; then set -- "$@" "$own/$n"; fi
done <"$stage/remove"
if [ $# -gt 0 ]; then rm -f "$@"; fi
set --
while read -r n; do
  l=$sys/cluster.target.wants/$n
  if [ -L "$l" ]; then set -- "$@" "$l"; fi
done <"$stage/idle"
if [ $# -gt 0 ]; then rm -f "$@"; fi
into "$sys" "$stage/cluster.target"
into "$sys/multi-user.target.wants" "$stage"/enable/*
into "$sys/cluster.target.wants" "$stage"/wants/*
into "$sys" "$stage"/units/*
into "$own" "$stage"/manifest/*
`;

/**
 * Prints `= ID GENERATION MARK` where the machine belongs to a cluster, `NAME HASH boot` for each unit that is ours and
 * starts at boot, `NAME HASH idle` for one that does not, and ` TICKET NAME` for each unit of a change that systemd may
 * not have read.
 */
export const MANIFEST_SCRIPT = `set -u
if [ -f /etc/cluster/cluster ]; then
  line=
  read -r line </etc/cluster/cluster || :
  printf '= %s\\n' "$line"
fi
own=/etc/cluster/units
if [ -d /etc/cluster/unsettled ]; then
  for t in /etc/cluster/unsettled/*; do
    [ -f "$t" ] || continue
    while read -r n; do printf ' %s %s\\n' "\${t##*/}" "$n"; done <"$t"
  done
fi
[ -d "$own" ] || exit 0
cd "$own" || exit 1
for n in *; do
  [ -f "$n" ] || continue
  h=
  read -r h <"./$n" || :
  [ -e "/etc/systemd/system/$n" ] || h=missing
  b=idle
  [ -L "/etc/systemd/system/cluster.target.wants/$n" ] && b=boot
  printf '%s %s %s\\n' "$n" "$h" "$b"
done
exit 0
`;

/** Its arguments are the tickets of changes that systemd has read now. */
export const SETTLE_SCRIPT = `cd /etc/cluster/unsettled 2>/dev/null || exit 0
rm -f -- "$@"
`;

/** Prints `KEY VALUE` lines; what is not there is left out. `os-release` and `machine-info` are lines of those files. */
export const FACTS_SCRIPT = `export LC_ALL=C
say() { [ -n "$2" ] && printf '%s %s\\n' "$1" "$2"; }
say machine-id "$(cat /etc/machine-id 2>/dev/null)"
say boot-id "$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)"
say hostname "$(uname -n)"
say os "$( (. /etc/os-release 2>/dev/null || . /usr/lib/os-release 2>/dev/null; printf %s "\${PRETTY_NAME:-}") )"
say systemd "$(systemctl --version 2>/dev/null)"
say kernel "$(uname -r)"
say architecture "$(uname -m)"
say memory-kb "$(sed -n 's/^MemTotal: *\\([0-9][0-9]*\\) kB$/\\1/p' /proc/meminfo 2>/dev/null)"
say cpus "$(getconf _NPROCESSORS_ONLN 2>/dev/null || nproc 2>/dev/null)"
f=/etc/os-release
[ -r "$f" ] || f=/usr/lib/os-release
sed -n 's/^[A-Z_]*=/os-release &/p' "$f" 2>/dev/null
sed -n 's/^[A-Z_]*=/machine-info &/p' /etc/machine-info 2>/dev/null
if [ "$(id -u)" = 0 ]; then say sudo root
elif sudo -n true >/dev/null 2>&1; then say sudo sudo
else say sudo denied
fi
`;

/** The argument list that runs one of the scripts. */
export function scriptArgv(name: keyof typeof SCRIPT, ...args: readonly string[]): string[] {
  const text = {
    apply: APPLY_SCRIPT,
    manifest: MANIFEST_SCRIPT,
    settle: SETTLE_SCRIPT,
    facts: FACTS_SCRIPT,
  };
  return ['sh', '-c', text[name], SCRIPT[name], ...args];
}
