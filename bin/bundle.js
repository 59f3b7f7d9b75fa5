'use strict';

/**
 * The program as the build leaves it: its parts, each a CommonJS module that is read and compiled when it is first
 * needed, in one file, which stays open: a process keeps the program that it was started with. Beside it is V8's compiled
 * code of the parts that the usual commands need. Both files are packs.
 */
const fs = require('node:fs');
const { createRequire } = require('node:module');
const path = require('node:path');
const vm = require('node:vm');

const HEAD = 16_384;
const DIGITS = 10;

/** The length of the head, the head (JSON), and the pieces that it names. @param {unknown} about @param {Map<string, Buffer>} pieces */
function makePack(about, pieces) {
  /** @type {Record<string, [number, number]>} */
  const places = {};
  let at = 0;
  for (const [name, { length }] of pieces) {
    places[name] = [at, length];
    at += length;
  }
  const head = Buffer.from(JSON.stringify({ about, places }));
  return Buffer.concat([Buffer.from(String(head.length).padStart(DIGITS)), head, ...pieces.values()]);
}

class Pack {
  /** @param {string} file @throws where there is no such file. */
  constructor(file) {
    this.descriptor = fs.openSync(file, 'r');
    const start = this.#read(0, HEAD);
    const length = Number(start.latin1Slice(0, DIGITS));
    this.start = DIGITS + length;
    const whole = this.start <= start.length ? start : this.#read(0, this.start);
    const { about, places } = JSON.parse(whole.utf8Slice(DIGITS, this.start));
    this.about = about;
    /** @type {Record<string, [number, number]>} */
    this.places = places;
  }

  /** @param {string} name @returns {Buffer | undefined} */
  piece(name) {
    const place = this.places[name];
    return place && this.#read(this.start + place[0], place[1]);
  }

  /** @param {number} from @param {number} length */
  #read(from, length) {
    const buffer = Buffer.allocUnsafeSlow(length);
    return buffer.subarray(0, fs.readSync(this.descriptor, buffer, 0, length, from));
  }
}

/** @param {string} file @returns {Pack | undefined} undefined where there is no such file. */
function packOf(file) {
  try {
    return new Pack(file);
  } catch {
    return undefined;
  }
}

const ENTRY = 'index.js';

class Bundle {
  /** @param {string} dist the folder of the build. @param {string} file in it. @throws where there is none. */
  constructor(dist, file = 'cluster.parts') {
    this.dist = dist;
    this.pack = new Pack(path.join(dist, file));
    /** @type {{ id: string, outside: string[] }} what it asks node_modules and Node for, by name */
    const { id, outside } = this.pack.about;
    this.id = id;
    this.packages = outside;
    this.outside = createRequire(path.join(dist, 'cluster.js'));
    /** @type {Map<string, { exports: any }>} */
    this.loaded = new Map();
    /** @type {Map<string, vm.Script>} parts that were compiled without the help of code compiled before. */
    this.fresh = new Map();
    /** @type {Pack[]} */
    this.compiled = [];
  }

  /** Compiled code is good for one build and one Node only, so its name carries both. */
  get codeName() {
    return `cluster-${this.id}-${process.version}-${process.arch}.cache`;
  }

  /** Uses the code that was compiled before, as far as it is in these files. @param {string[]} files */
  useCode(files) {
    this.compiled = files.flatMap((file) => packOf(file) ?? []);
  }

  /** Runs the program's entry and returns its exports. */
  start() {
    return this.load(ENTRY);
  }

  /** @param {string} name @returns {any} the exports of a part, or of what Node or node_modules have by that name. */
  load(name) {
    const part = name.startsWith('./') ? name.slice(2) : name;
    const known = this.loaded.get(part);
    if (known !== undefined) return known.exports;
    const source = this.pack.piece(part);
    if (source === undefined) return this.outside(name);
    const filename = path.join(this.dist, part);
    const cachedData = this.#codeOf(part);
    const script = new vm.Script(source.latin1Slice(), cachedData ? { filename, cachedData } : { filename });
    if (cachedData === undefined || script.cachedDataRejected) this.fresh.set(part, script);
    const module = { exports: {} };
    this.loaded.set(part, module);
    const require = (/** @type {string} */ wanted) => this.load(wanted);
    script.runInThisContext()(module.exports, require, module, filename, this.dist);
    return module.exports;
  }

  /** What was compiled, in this run and before, to be kept in a file. */
  code() {
    const pieces = new Map();
    for (const { places } of this.compiled)
      for (const name of Object.keys(places)) pieces.set(name, this.#codeOf(name));
    for (const [name, script] of this.fresh) pieces.set(name, script.createCachedData());
    return makePack(null, pieces);
  }

  /** @param {string} part */
  #codeOf(part) {
    for (const pack of this.compiled) {
      const piece = pack.piece(part);
      if (piece !== undefined) return piece;
    }
    return undefined;
  }
}

module.exports = { Bundle, makePack, packOf };
