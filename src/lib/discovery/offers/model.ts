/** What Docker says of a container, as far as it matters here. */
export interface Container {
  readonly id: string;
  /** Without Docker's leading slash. */
  readonly name: string;
  readonly image: string;
  /** Environment first, then labels: a label wins over a variable of the same name. */
  readonly metadata: readonly (readonly [key: string, value: string])[];
  /** ISO 8601, as Docker writes it; another value after each start. */
  readonly startedAt: string;
  readonly running: boolean;
  readonly paused: boolean;
  /** Of the image's or the run's HEALTHCHECK; null = there is none. */
  readonly health: 'starting' | 'healthy' | 'unhealthy' | null;
  /** Signal that asks it to stop: `SIGTERM` where nothing else is said. */
  readonly stopSignal: string;
  /** It has no network of its own, so what it listens on is the machine's. */
  readonly onHost: boolean;
  readonly ports: readonly ContainerPort[];
}

export interface ContainerPort {
  readonly port: number;
  readonly protocol: 'tcp' | 'udp';
  /** Address in the container's own network; '' with host networking. */
  readonly internal: string;
  /** Where the machine listens for it; empty where it is exposed only. */
  readonly published: readonly { readonly host: string; readonly port: number }[];
}

/** One port of a container under registrator's conventions. */
export interface Service {
  readonly id: string;
  readonly name: string;
  /** It has a SERVICE_NAME. */
  readonly named: boolean;
  /** Its container says a host name that this port does not get. */
  readonly withheld: boolean;
  readonly address: string;
  readonly port: number;
  readonly protocol: 'tcp' | 'udp';
  readonly tags: readonly string[];
  /** What else stands in SERVICE_*: lower case, without the prefix. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly container: string;
  /** The container's name. */
  readonly containerName: string;
  /** The unit that runs the container, where it says so; null = it does not. */
  readonly unit: string | null;
  readonly startedAt: string;
}

/** One request, and which answers are good. */
export interface HttpQuestion {
  readonly kind: 'http' | 'https';
  readonly method: string;
  readonly path: string;
  /** Host header, and the name in a certificate; null = the address. */
  readonly host: string | null;
  /** First and last code of each range. */
  readonly statuses: readonly (readonly [first: number, last: number])[];
  /** The certificate must be good for `host`. */
  readonly verify: boolean;
}

/** One call of grpc.health.v1.Health/Check. */
export interface GrpcQuestion {
  readonly kind: 'grpc';
  /** '' = the server as a whole. */
  readonly service: string;
  /** Where the server's own URL does not say so. */
  readonly tls: boolean;
  /** As in HttpQuestion. */
  readonly host: string | null;
  readonly verify: boolean;
}

/** What is asked of a server, again and again. */
export interface Check {
  readonly how:
    | HttpQuestion
    | GrpcQuestion
    | { readonly kind: 'tcp' }
    | { readonly kind: 'script'; readonly command: string };
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** So many good answers in a row make a sick server well, so many bad ones a well server sick. */
  readonly rise: number;
  readonly fall: number;
}

/** What is announced of a service, before anybody asks about its health. */
export interface Offer {
  readonly service: Service;
  /** `http://10.0.0.5:49153` */
  readonly url: string;
  /** It is a server of the backend of its name. */
  readonly balanced: boolean;
  /** Host name of the version, shared by all its instances; null = its backend has no frontend of ours. */
  readonly sharedHost: string | null;
  /** Host name of this one instance; null = none. */
  readonly instanceHost: string | null;
  readonly check: Check | null;
}
