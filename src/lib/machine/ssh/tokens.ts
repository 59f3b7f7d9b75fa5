import { homedir, hostname, userInfo } from 'node:os';

/** `~`, `${VAR}` and the tokens of ssh_config(5). */
export function expandPath(text: string, tokens: Readonly<Record<string, string>>): string {
  const home = homedir();
  const tilde = text === '~' || text.startsWith('~/') ? home + text.slice(1) : text;
  const variables = tilde.replace(/\$\{(\w+)\}/g, (_, name: string) => process.env[name] ?? '');
  const [short = ''] = hostname().split('.');
  const own = { d: home, u: localUser(), i: String(process.getuid?.() ?? ''), l: hostname(), L: short };
  return expandTokens(variables, { ...tokens, ...own });
}

/** Replaces `%x` by what `tokens` has for it; a token that is not there stays as it is. */
export function expandTokens(text: string, tokens: Readonly<Record<string, string>>): string {
  return text.replace(/%(.)/g, (whole, token: string) => (token === '%' ? '%' : (tokens[token] ?? whole)));
}

/** The login name of whoever runs this program. */
export function localUser(): string {
  try {
    return userInfo().username;
  } catch {
    return process.env.USER ?? '';
  }
}
