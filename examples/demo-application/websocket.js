/** As much of RFC 6455 as an echo needs: whole and fragmented messages, ping, close; no extensions. */
import { createHash } from 'node:crypto';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const MAX_BYTES = 1_048_576;
const CONTINUATION = 0;
const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

/**
 * @typedef {object} Conversation
 * @property {(text: string) => void} say sends one text message
 * @property {(code: number) => void} close sends a close frame and ends when the other side has answered it
 */

/**
 * Answers the handshake and echoes every message from then on; null, and 400 to the caller, if it is no handshake.
 * @returns {Conversation | null}
 */
export function accept(request, socket, head, headers) {
  const key = request.headers['sec-websocket-key'];
  const fine =
    request.method === 'GET' &&
    request.headers.upgrade?.toLowerCase() === 'websocket' &&
    request.headers['sec-websocket-version'] === '13' &&
    key !== undefined;
  socket.on('error', () => socket.destroy());
  if (!fine) {
    socket.end(answer('400 Bad Request', { ...headers, 'Sec-WebSocket-Version': 13, 'Content-Length': 0 }));
    return null;
  }
  const proof = createHash('sha1').update(`${key}${GUID}`).digest('base64');
  const upgrade = { Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Accept': proof };
  socket.write(answer('101 Switching Protocols', { ...upgrade, ...headers }));
  return converse(socket, head);
}

function answer(status, headers) {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status}\r\n${lines.join('')}\r\n`;
}

function converse(socket, head) {
  let buffer = head;
  let closing = false;
  /** The message that is arriving in pieces. */
  let opcode = CONTINUATION;
  let pieces = [];
  const send = (kind, payload) => !socket.destroyed && socket.writable && socket.write(frame(kind, payload));

  function close(code) {
    if (closing) return;
    closing = true;
    const payload = Buffer.alloc(2);
    payload.writeUInt16BE(code);
    send(CLOSE, payload);
    // One that never answers the close is not waited for.
    setTimeout(() => socket.destroy(), 2000).unref();
  }

  function receive({ final, kind, payload }) {
    if (kind === CLOSE) {
      close(payload.length >= 2 ? payload.readUInt16BE() : 1000);
      socket.end();
    } else if (kind === PING) send(PONG, payload);
    else if (kind !== PONG && !closing) {
      // A new message in the middle of one, or a piece of none.
      if ((kind === CONTINUATION) !== pieces.length > 0 || kind > BINARY) return close(1002);
      if (kind !== CONTINUATION) opcode = kind;
      pieces.push(payload);
      if (pieces.reduce((sum, { length }) => sum + length, 0) > MAX_BYTES) return close(1009);
      if (!final) return;
      send(opcode, Buffer.concat(pieces));
      pieces = [];
    }
  }

  function read(data) {
    buffer = Buffer.concat([buffer, data]);
    for (let next = parse(buffer); next !== null; next = parse(buffer)) {
      if (next.fault !== undefined) {
        buffer = Buffer.alloc(0);
        close(next.fault);
        return socket.end();
      }
      buffer = buffer.subarray(next.size);
      receive(next);
    }
  }

  socket.on('data', read);
  socket.on('end', () => socket.end());
  // What came with the handshake waits until the caller has said its greeting.
  queueMicrotask(() => read(Buffer.alloc(0)));
  return { say: (text) => send(TEXT, Buffer.from(text)), close };
}

/** The first frame in the bytes, null if it is not all there, or the close code for one that is not allowed. */
function parse(bytes) {
  if (bytes.length < 2) return null;
  const short = bytes[1] & 0x7f;
  const at = short === 126 ? 4 : short === 127 ? 10 : 2;
  if ((bytes[0] & 0x70) !== 0 || (bytes[1] & 0x80) === 0) return { fault: 1002 };
  if (bytes.length < at) return null;
  const length =
    short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short;
  if (length > MAX_BYTES) return { fault: 1009 };
  if (bytes.length < at + 4 + length) return null;
  const mask = bytes.subarray(at, at + 4);
  const payload = Buffer.from(bytes.subarray(at + 4, at + 4 + length));
  for (let n = 0; n < length; n++) payload[n] ^= mask[n & 3];
  return { final: (bytes[0] & 0x80) !== 0, kind: bytes[0] & 0x0f, payload, size: at + 4 + length };
}

/** A whole, unmasked frame, as a server sends it. */
function frame(kind, payload) {
  const { length } = payload;
  const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
  head[0] = 0x80 | kind;
  head[1] = length < 126 ? length : length < 65_536 ? 126 : 127;
  if (length >= 65_536) head.writeBigUInt64BE(BigInt(length), 2);
  else if (length >= 126) head.writeUInt16BE(length, 2);
  return Buffer.concat([head, payload]);
}
