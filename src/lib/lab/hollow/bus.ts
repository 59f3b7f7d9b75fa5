/**
 * Throw-away machines in one process: a real SSH server in front of a simulated systemd. It must not behave otherwise
 * than the real one where tests rely on it.
 */
import type { Duplex } from 'node:stream';
import type { HollowMachine } from './machine.ts';
import { callManager, type Reply } from './manager-calls.ts';
import {
  jobPath,
  MANAGER,
  managerProperties,
  SYSTEMD_PATH,
  typeInterface,
  typeProperties,
  UNIT,
  unitOfPath,
  unitPath,
  unitProperties,
} from './properties.ts';
import { BusError, type SystemdSignal } from './unit-state.ts';
import { type BusMessage, type BusValue, encodeMessage, MessageReader, type Variant } from './wire.ts';

const DBUS = 'org.freedesktop.DBus';
const PROPERTIES = 'org.freedesktop.DBus.Properties';
let connections = 0;

/** Serves the D-Bus conversation of one client on a stream, as dbus-daemon and systemd behind its socket would. */
export function serveBus(stream: Duplex, machine: HollowMachine): void {
  const bus = new HollowBus(stream, machine);
  stream.on('data', (chunk: Buffer) => bus.push(chunk));
  stream.on('error', () => {});
  for (const event of ['end', 'close'] as const) stream.on(event, () => bus.close());
}

type Rule = Readonly<Record<string, string>>;

class HollowBus {
  readonly #stream: Duplex;
  readonly #machine: HollowMachine;
  readonly #name = `:1.${++connections}`;
  readonly #reader: MessageReader;
  readonly #rules: Rule[] = [];
  #login = '';
  #begun = false;
  #serial = 0;
  #unsubscribe: (() => void) | null = null;

  constructor(stream: Duplex, machine: HollowMachine) {
    this.#stream = stream;
    this.#machine = machine;
    this.#reader = new MessageReader((message) => this.#onMessage(message));
  }

  push(chunk: Buffer): void {
    if (this.#begun) {
      this.#receive(chunk);
      return;
    }
    this.#login += chunk.toString('latin1');
    if (this.#login.startsWith('\0')) this.#login = this.#login.slice(1);
    for (let at = this.#login.indexOf('\r\n'); at >= 0; at = this.#login.indexOf('\r\n')) {
      const line = this.#login.slice(0, at);
      this.#login = this.#login.slice(at + 2);
      if (line === 'BEGIN') {
        this.#begun = true;
        if (this.#login) this.#receive(Buffer.from(this.#login, 'latin1'));
        return;
      }
      this.#send(`${this.#answerLogin(line)}\r\n`);
    }
  }

  close(): void {
    this.#unsubscribe?.();
    this.#unsubscribe = null;
  }

  #receive(chunk: Buffer): void {
    try {
      this.#reader.push(chunk);
    } catch {
      this.#stream.destroy();
    }
  }

  #answerLogin(line: string): string {
    const [word, mechanism, identity] = line.split(' ');
    if (word === 'AUTH' && mechanism === 'EXTERNAL')
      return identity === undefined ? 'DATA' : `OK ${this.#machine.id}`;
    if (word === 'AUTH') return 'REJECTED EXTERNAL';
    if (word === 'DATA') return `OK ${this.#machine.id}`;
    if (word === 'NEGOTIATE_UNIX_FD') return 'ERROR "hollow machine: no file descriptors over SSH"';
    return 'ERROR "Unknown command"';
  }

  #onMessage(call: BusMessage): void {
    if (call.type !== 'call') return;
    this.#machine.requests.push(`dbus ${call.member ?? ''}`);
    const { slowMs } = this.#machine.faults;
    if (slowMs > 0) setTimeout(() => this.#answer(call), slowMs);
    else this.#answer(call);
  }

  #answer(call: BusMessage): void {
    const head = { destination: this.#name, sender: DBUS, replySerial: call.serial };
    let reply: BusMessage;
    try {
      const [signature, body] = this.#dispatch(call);
      reply = { ...head, type: 'return', serial: ++this.#serial, signature, body };
    } catch (error) {
      const errorName = error instanceof BusError ? error.errorName : `${DBUS}.Error.Failed`;
      const body = [error instanceof Error ? error.message : String(error)];
      reply = { ...head, type: 'error', serial: ++this.#serial, errorName, signature: 's', body };
    }
    if (((call.flags ?? 0) & 1) === 0) this.#send(encodeMessage(reply));
  }

  #dispatch(call: BusMessage): Reply {
    const body = call.body ?? [];
    const member = call.member ?? '';
    if (call.interface === `${DBUS}.Peer`)
      return member === 'GetMachineId' ? ['s', [this.#machine.id]] : ['', []];
    if (call.destination === DBUS) return this.#callDaemon(member, body);
    if (call.destination !== undefined && call.destination !== 'org.freedesktop.systemd1') {
      throw new BusError(
        `${DBUS}.Error.ServiceUnknown`,
        `The name ${call.destination} was not provided by any .service files`,
      );
    }
    if (call.interface === PROPERTIES) return this.#callProperties(call.path ?? '', member, body);
    if (call.path === SYSTEMD_PATH && (call.interface === MANAGER || call.interface === undefined)) {
      if (member === 'Subscribe') return this.#subscribe();
      if (member === 'Unsubscribe') {
        this.close();
        return ['', []];
      }
      return callManager(this.#machine, member, body);
    }
    throw new BusError(
      `${DBUS}.Error.UnknownMethod`,
      `hollow machine: not simulated: ${call.interface}.${member}`,
    );
  }

  #callDaemon(member: string, body: readonly BusValue[]): Reply {
    switch (member) {
      case 'Hello':
        setImmediate(() =>
          this.#signal('/org/freedesktop/DBus', DBUS, 'NameAcquired', 's', [this.#name], DBUS, true),
        );
        return ['s', [this.#name]];
      case 'AddMatch':
        this.#rules.push(readRule(String(body[0])));
        return ['', []];
      case 'RemoveMatch': {
        const gone = JSON.stringify(readRule(String(body[0])));
        const at = this.#rules.findIndex((rule) => JSON.stringify(rule) === gone);
        if (at >= 0) this.#rules.splice(at, 1);
        return ['', []];
      }
      case 'GetNameOwner':
        return ['s', [body[0] === 'org.freedesktop.systemd1' ? ':1.0' : String(body[0])]];
      case 'NameHasOwner':
        return ['b', [body[0] === 'org.freedesktop.systemd1']];
      case 'GetId':
        return ['s', [this.#machine.id]];
      default:
        throw new BusError(`${DBUS}.Error.UnknownMethod`, `hollow machine: not simulated: ${DBUS}.${member}`);
    }
  }

  #callProperties(path: string, member: string, body: readonly BusValue[]): Reply {
    const properties = this.#propertiesOf(path, String(body[0] ?? ''));
    if (member === 'GetAll') return ['a{sv}', [Object.entries(properties)]];
    const value = properties[String(body[1])];
    if (member === 'Get' && value) return ['v', [value]];
    throw new BusError(
      `${DBUS}.Error.UnknownProperty`,
      `Unknown interface or property '${String(body[1] ?? member)}'.`,
    );
  }

  #propertiesOf(path: string, of: string): Record<string, Variant> {
    const { systemd } = this.#machine;
    if (path === SYSTEMD_PATH) return managerProperties(systemd);
    const name = unitOfPath(path);
    if (name === null) throw new BusError(`${DBUS}.Error.UnknownObject`, `Unknown object '${path}'.`);
    const unit = systemd.load(name);
    const general = of === UNIT || of === '' ? unitProperties(unit, this.#machine.fileState(name)) : {};
    return of === UNIT ? general : { ...general, ...typeProperties(unit) };
  }

  #subscribe(): Reply {
    if (this.#unsubscribe)
      throw new BusError('org.freedesktop.systemd1.AlreadySubscribed', 'Client is already subscribed.');
    this.#unsubscribe = this.#machine.systemd.listen((signal) => this.#tell(signal));
    return ['', []];
  }

  #tell(signal: SystemdSignal): void {
    const manager = (member: string, signature: string, body: BusValue[]): void =>
      this.#signal(SYSTEMD_PATH, MANAGER, member, signature, body);
    switch (signal.kind) {
      case 'changed':
        this.#tellChange(signal);
        break;
      case 'unit-new':
        manager('UnitNew', 'so', [signal.unit, unitPath(signal.unit)]);
        break;
      case 'unit-removed':
        manager('UnitRemoved', 'so', [signal.unit, unitPath(signal.unit)]);
        break;
      case 'job-new':
        manager('JobNew', 'uos', [signal.id, jobPath(signal.id), signal.unit]);
        break;
      case 'job-removed':
        manager('JobRemoved', 'uoss', [signal.id, jobPath(signal.id), signal.unit, signal.result]);
        break;
      case 'reloading':
        manager('Reloading', 'b', [signal.active]);
        break;
    }
  }

  /** First what the unit's own type has, then what every unit has: the order of the real systemd. */
  #tellChange({ unit }: Extract<SystemdSignal, { kind: 'changed' }>): void {
    const path = unitPath(unit.name);
    const all = unitProperties(unit, '');
    const own = Object.entries(typeProperties(unit));
    const general = ['ActiveState', 'SubState', 'InvocationID', 'Job'].map((key) => [key, all[key]!]);
    const change = (of: string, properties: BusValue[]): void =>
      this.#signal(path, PROPERTIES, 'PropertiesChanged', 'sa{sv}as', [of, properties, []]);
    change(typeInterface(unit.name), own);
    change(UNIT, general);
  }

  #signal(
    path: string,
    of: string,
    member: string,
    signature: string,
    body: BusValue[],
    sender = ':1.0',
    direct = false,
  ): void {
    if (!direct && !this.#wants(path, of, member, body[0])) return;
    const names = direct ? { destination: this.#name } : {};
    this.#send(
      encodeMessage({
        type: 'signal',
        serial: ++this.#serial,
        path,
        interface: of,
        member,
        sender,
        ...names,
        signature,
        body,
      }),
    );
  }

  /** dbus-daemon passes a signal on only to those whose match rules ask for it. */
  #wants(path: string, of: string, member: string, first: BusValue | undefined): boolean {
    return this.#rules.some((rule) => {
      const space = rule.path_namespace;
      const inSpace = space === undefined || path === space || path.startsWith(`${space}/`);
      const same = (key: string, is: string): boolean => rule[key] === undefined || rule[key] === is;
      const asked = same('type', 'signal') && same('path', path) && inSpace && same('interface', of);
      return asked && same('member', member) && same('arg0', String(first));
    });
  }

  #send(data: string | Buffer): void {
    if (this.#stream.writable) this.#stream.write(data);
  }
}

function readRule(rule: string): Rule {
  return Object.fromEntries([...rule.matchAll(/(\w+)='([^']*)'/g)].map(([, key, value]) => [key, value]));
}
