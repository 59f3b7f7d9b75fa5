import http from 'node:http';
import https from 'node:https';
import type { MachineRecord } from '../registry/index.ts';
import type { StoreMember } from '../store/port.ts';
import type { Session } from './session.ts';

const PROBE_MS = 1500;

/** How many of etcd's members have to answer for it to work. */
export const quorumOf = (members: number): number => Math.floor(members / 2) + 1;

/** Whether a member of the store runs on this machine, by its addresses. */
export function isOn(member: StoreMember, { target, facts }: MachineRecord): boolean {
  return member.urls.some((url) => {
    const host = hostOf(url);
    return host === target.address || host === facts.hostname;
  });
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname.replace(/^\[|\]$/g, '') : '';
}

/** Whether a member answers; through a tunnel it is taken at its word. */
export async function answers({ urls }: StoreMember, { config }: Session): Promise<boolean> {
  if (config.etcd?.tunnel !== undefined) return true;
  const tries = urls.filter((url) => URL.canParse(url)).map((url) => answersHttp(new URL(url)));
  return (await Promise.all(tries)).some(Boolean);
}

/** Errors by which nobody answered; any other, such as a refused certificate, is an answer. */
const SILENCE = ['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN'];

/** A process that is stopped still takes connections, so that only an answer counts. */
function answersHttp(url: URL): Promise<boolean> {
  return new Promise((resolve) => {
    const { get } = url.protocol === 'https:' ? https : http;
    const asked = get(new URL('/health', url), { rejectUnauthorized: false, timeout: PROBE_MS });
    const end = (isThere: boolean): void => {
      resolve(isThere);
      asked.destroy();
    };
    asked.on('response', () => end(true)).on('timeout', () => end(false));
    asked.on('error', ({ code }: NodeJS.ErrnoException) => end(!SILENCE.includes(code ?? '')));
  });
}
