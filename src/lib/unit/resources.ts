/** Ports from one to another, both included. */
export interface PortRange {
  readonly from: number;
  readonly to: number;
}

const UNITS = ['', 'K', 'M', 'G', 'T'] as const;
const STEP = 1024;
const MAX_PORT = 65_535;
const THOUSAND = 1000;

/** Bytes of `512M`, `1.5G` or `1048576`; K, M, G and T are powers of 1024, as in systemd. Null for anything else, 0 too. */
export function parseSize(text: string): number | null {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)([KMGT]?)$/.exec(text) ?? [];
  const bytes = Math.round(Number(number) * STEP ** UNITS.indexOf(unit as (typeof UNITS)[number]));
  return number === '' || bytes < 1 || !Number.isSafeInteger(bytes) ? null : bytes;
}

/** Thousandths of a CPU of `500m`, `2` or `0.5`. Null for anything else, 0 too. */
export function parseCpu(text: string): number | null {
  const [, number = '', milli = ''] = /^(\d+(?:\.\d{1,3})?)(m?)$/.exec(text) ?? [];
  if (number === '' || (milli !== '' && number.includes('.'))) return null;
  const thousandths = Math.round(Number(number) * (milli === '' ? THOUSAND : 1));
  return thousandths < 1 || !Number.isSafeInteger(thousandths) ? null : thousandths;
}

/** The ports of `8080`, `8000-8010` or several of these, separated by spaces or commas; null where one is none. */
export function parsePorts(text: string): PortRange[] | null {
  const ranges = text.split(/[\s,]+/).map((word): PortRange | null => {
    const [, from = '', to = from] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(word) ?? [];
    const range = { from: Number(from), to: Number(to) };
    return range.from < 1 || range.to > MAX_PORT || range.from > range.to ? null : range;
  });
  return ranges.includes(null) ? null : (ranges as PortRange[]);
}

/** How much a person reads of a size: `512 MB`, `1.5 GB`; K, M, G and T are powers of 1024. */
export function sizeText(bytes: number): string {
  const sign = bytes < 0 ? '-' : '';
  let rest = Math.abs(bytes);
  let unit = 0;
  while (rest >= STEP && unit < UNITS.length - 1) {
    rest /= STEP;
    unit++;
  }
  return `${sign}${rounded(rest, rest < 10 ? 1 : 0)} ${UNITS[unit]}B`;
}

/** CPUs as a person reads them: `0.5 CPU`, `2 CPUs`. */
export function cpuText(thousandths: number): string {
  const cpus = rounded(thousandths / THOUSAND, 3);
  return `${cpus} CPU${cpus === '1' || Number(cpus) < 1 ? '' : 's'}`;
}

const rounded = (value: number, digits: number): string => String(Number(value.toFixed(digits)));
