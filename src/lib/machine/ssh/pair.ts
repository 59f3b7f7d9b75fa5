import { Duplex, type Readable, type Writable } from 'node:stream';

/** Two one-way streams as one. Node's Duplex.from would report an error whenever it is destroyed early. */
export class PairStream extends Duplex {
  readonly #from: Readable;
  readonly #to: Writable;

  constructor(from: Readable, to: Writable) {
    super();
    this.#from = from;
    this.#to = to;
    from.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) from.pause();
    });
    from.once('end', () => this.push(null));
    from.once('error', () => this.destroy());
    from.once('close', () => {
      if (!from.readableEnded) this.destroy();
    });
    to.on('error', () => undefined);
  }

  override _read(): void {
    this.#from.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    // The reading side ends too when the other end is gone, which is what is acted upon.
    if (this.#to.destroyed) done();
    else if (this.#to.write(chunk)) done();
    else this.#whenWritable(done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#to.end();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#from.destroy();
    this.#to.destroy();
    done(error);
  }

  #whenWritable(done: () => void): void {
    const go = (): void => {
      this.#to.off('drain', go).off('close', go);
      done();
    };
    this.#to.on('drain', go).on('close', go);
  }
}
