import { createHash } from 'node:crypto';
import { ClusterError } from '../../error.ts';
import { isLinkOf, type LabPaths } from './paths.ts';
import { must, run } from './run.ts';

interface Link {
  readonly ifname: string;
  readonly addr_info?: readonly {
    readonly family: string;
    readonly local: string;
    readonly prefixlen: number;
  }[];
}

async function links(): Promise<Link[]> {
  return JSON.parse(await must('ip', ['-json', 'address'])) as Link[];
}

/** A private /24 derived from the lab's name that no other lab uses and that overlaps no address of this computer. */
export async function chooseSubnet(lab: LabPaths, reserved: readonly string[]): Promise<string> {
  const taken = (await links())
    .filter(({ ifname }) => ifname !== lab.bridge)
    .flatMap(({ addr_info = [] }) => addr_info.filter(({ family }) => family === 'inet'));
  const hash = createHash('sha256').update(lab.name).digest().readUInt16BE(0);
  for (let step = 0; step < 16_384; step++) {
    const pick = (hash + step) % 16_384;
    const subnet = `10.${64 + (pick >> 8)}.${pick & 255}`;
    if (reserved.includes(subnet)) continue;
    if (!taken.some(({ local, prefixlen }) => overlaps(subnet, local, prefixlen))) return subnet;
  }
  throw new ClusterError('lab-no-network', 'no private network is free for the lab', {
    hint: 'remove a network in 10.64.0.0/10 from this computer',
  });
}

function overlaps(subnet: string, address: string, prefix: number): boolean {
  const shift = 32 - Math.min(prefix, 24);
  return shift === 32 || toNumber(`${subnet}.0`) >>> shift === toNumber(address) >>> shift;
}

function toNumber(address: string): number {
  return address.split('.').reduce((sum, part) => ((sum << 8) | Number(part)) >>> 0, 0);
}

/** Makes the lab's bridge, or repairs one left by a killed run. */
export async function ensureBridge(lab: LabPaths, subnet: string): Promise<void> {
  const address = `${subnet}.1`;
  const existing = (await links()).find(({ ifname }) => ifname === lab.bridge);
  if (existing === undefined)
    await must('ip', ['link', 'add', lab.bridge, 'type', 'bridge', 'forward_delay', '0']);
  const right =
    existing?.addr_info?.some(({ local, prefixlen }) => local === address && prefixlen === 24) ?? false;
  if (!right) {
    await must('ip', ['address', 'flush', 'dev', lab.bridge]);
    await must('ip', ['address', 'add', `${address}/24`, 'dev', lab.bridge]);
  }
  await must('ip', ['link', 'set', lab.bridge, 'up']);
}

/** Removes one link; does nothing if it is not there. */
export async function removeLink(link: string): Promise<void> {
  await run('ip', ['link', 'delete', link]);
}

/** Removes the bridge and every link that attached the lab's machines to it. */
export async function removeLinks(lab: LabPaths): Promise<void> {
  for (const { ifname } of await links()) if (isLinkOf(lab, ifname)) await removeLink(ifname);
}

/** Sets a machine's network link down or up. */
export async function setLink(link: string, state: 'up' | 'down'): Promise<void> {
  await must('ip', ['link', 'set', link, state]);
}
