import { Args, Command } from '@oclif/core';

/** Each calls `cluster complete` at every Tab, so an installed script never becomes outdated. */
const SCRIPTS = {
  // bash splits `demo@1` into three words, so the words are read from the line itself, and replies are cut to match.
  bash: `_cluster() {
  local line=\${COMP_LINE:0:COMP_POINT} words current known name
  read -a words <<<"$line"
  case $line in *[[:space:]]) words+=('') ;; esac
  current=\${words[\${#words[@]}-1]}
  known=\${current%"\${current##*[$COMP_WORDBREAKS]}"} known=\${known%@}
  COMPREPLY=()
  while read -r name; do
    COMPREPLY+=("$(printf %q "\${name#"$known"}")")
  done < <(cluster complete -- "\${words[@]:1}" 2>/dev/null)
}
complete -o default -F _cluster cluster`,
  zsh: `#compdef cluster
_cluster() {
  local -a names
  names=(\${(f)"$(cluster complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)"})
  compadd -- $names || _files
}
compdef _cluster cluster`,
  fish: `function __cluster_complete
  set -l words (commandline -opc)[2..-1] (commandline -ct)
  cluster complete -- $words 2>/dev/null
end
complete -c cluster -a '(__cluster_complete)'`,
} as const;

const isShell = (name: string): name is keyof typeof SCRIPTS => Object.hasOwn(SCRIPTS, name);

export default class Completion extends Command {
  static readonly changes = 'nothing';
  static readonly completes = 'none';
  static override summary = 'Print a completion script for your shell';
  static override args = {
    shell: Args.string({ required: true, options: Object.keys(SCRIPTS), description: 'bash, zsh or fish' }),
  };
  static override examples = [
    'source <(cluster completion bash)',
    'source <(cluster completion zsh)',
    'cluster completion fish | source',
  ];

  async run(): Promise<void> {
    const { args } = await this.parse(Completion);
    if (isShell(args.shell)) this.log(SCRIPTS[args.shell]);
  }
}
