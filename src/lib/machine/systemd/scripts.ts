/**
 * The shell text that asks systemd's programs for what D-Bus does not tell. Constants only, by the rules of
 * files/scripts.ts; a hollow machine recognises each by equality. Answers about several things are separated by NUL.
 */

/**
 * `$1` = number of lines, then `INVOCATION:PID` for each run. Flushes first: a unit that died at once is ahead of its
 * journal. By pid too: what a process printed that died at once may lack the invocation's id.
 */
export const FAILURES_SCRIPT = `n=$1
shift
journalctl --sync >/dev/null 2>&1
for r; do
  journalctl --quiet --no-pager --boot --output=cat --lines="$n" "_SYSTEMD_INVOCATION_ID=\${r%:*}" + "INVOCATION_ID=\${r%:*}" + "_PID=\${r#*:}" "_TRANSPORT=stdout"
  printf '\\000'
done
`;

/**
 * `$1` = number of lines or `all`, `$2` = since, `$3` = priority (empty: any), then units: the last lines of each as
 * JSON. Ends as the last journalctl that failed.
 */
export const LAST_LINES_SCRIPT = `n=$1 s=$2 p=$3 c=0
shift 3
for u; do
  journalctl --quiet --no-pager --output=json --lines="$n" \${s:+"--since=$s"} \${p:+"--priority=$p"} --unit="$u" || c=$?
  printf '\\000'
done
exit $c
`;

/** `$1` = file name for the unit's text on stdin, `$2` = the name to verify it by: an instance, for a template. */
export const VERIFY_SCRIPT = `d=$(mktemp -d) || exit 9
trap 'rm -rf "$d"' EXIT
cat >"$d/$1" && systemd-analyze verify "$d/$2" 2>&1
`;

/**
 * Units, as patterns of find: how many processes are in the control group of each, on a line. systemd puts `_` before
 * names that the kernel has taken.
 */
export const LEFT_SCRIPT = `for u; do
  find /sys/fs/cgroup -type d '(' -name "$u" -o -name "_$u" ')' 2>/dev/null | while IFS= read -r d; do
    find "$d" -name cgroup.procs -exec cat '{}' + 2>/dev/null
  done | sort -u | wc -l
done
`;

const SCRIPTS = {
  failures: FAILURES_SCRIPT,
  'last-lines': LAST_LINES_SCRIPT,
  verify: VERIFY_SCRIPT,
  left: LEFT_SCRIPT,
} as const;

/** The argument list that runs one of the scripts. */
export function systemdScript(name: keyof typeof SCRIPTS, ...args: readonly string[]): string[] {
  return ['sh', '-c', SCRIPTS[name], `cluster-${name}`, ...args];
}
