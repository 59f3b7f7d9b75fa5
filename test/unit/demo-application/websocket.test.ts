import { describe, expect, test } from 'vitest';
import {
  at,
  BINARY,
  CLOSE,
  CONTAINER,
  CONTINUATION,
  code,
  PING,
  PONG,
  RawWebSocket,
  running,
  TEXT,
} from './support.ts';

describe('over a WebSocket', () => {
  running();

  test('it proves the handshake and greets', async () => {
    const socket = await RawWebSocket.open();
    expect(socket.headers).toMatch(/^HTTP\/1\.1 101 /);
    expect(socket.headers).toContain('Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
    expect(socket.headers).toContain('X-Version: 0.1.0');
    const [opcode, greeting] = await socket.receive();
    expect(opcode).toBe(TEXT);
    expect(JSON.parse(greeting.toString())).toEqual({ version: '0.1.0', container: CONTAINER });
  });

  test('it echoes messages of every length, in pieces too, and answers pings in between', async () => {
    const socket = await RawWebSocket.open();
    await socket.receive();
    for (const length of [0, 1, 125, 126, 65_535, 65_536, 1_000_000]) {
      const message = Buffer.alloc(length, 'é');
      socket.send(RawWebSocket.frame(BINARY, message));
      const [opcode, echoed] = await socket.receive();
      expect([opcode, echoed.equals(message)]).toEqual([BINARY, true]);
    }
    socket.send(
      RawWebSocket.frame(TEXT, 'he', false),
      RawWebSocket.frame(PING, 'there?'),
      RawWebSocket.frame(CONTINUATION, 'll', false),
      RawWebSocket.frame(CONTINUATION, 'o'),
    );
    expect(await socket.receive()).toEqual([PONG, Buffer.from('there?')]);
    expect(await socket.receive()).toEqual([TEXT, Buffer.from('hello')]);
  });

  test('what came with the handshake is answered after the greeting', async () => {
    const socket = await RawWebSocket.open([], RawWebSocket.frame(TEXT, 'early'));
    expect((await socket.receive())[1].toString()).toContain('0.1.0');
    expect(await socket.receive()).toEqual([TEXT, Buffer.from('early')]);
  });

  test('a close is answered and ends it', async () => {
    const socket = await RawWebSocket.open();
    await socket.receive();
    socket.send(RawWebSocket.frame(CLOSE, code(1000)));
    expect(await socket.receive()).toEqual([CLOSE, code(1000)]);
    await socket.ended();
  });

  test.each([
    ['a frame without a mask', Buffer.from([0x81, 0x01, 0x61]), 1002],
    ['a piece of no message', RawWebSocket.frame(CONTINUATION, 'x'), 1002],
    ['a message of more than a mebibyte', RawWebSocket.frame(BINARY, Buffer.alloc(1_048_577)), 1009],
  ])('%s is refused', async (_what, bytes, why) => {
    const socket = await RawWebSocket.open();
    await socket.receive();
    socket.send(bytes);
    expect(await socket.receive()).toEqual([CLOSE, code(why)]);
    expect((await fetch(at('/health'))).status).toBe(200);
  });

  test('a handshake that is none is 400', async () => {
    const socket = await RawWebSocket.open(['Sec-WebSocket-Version: 8']);
    expect(socket.headers).toMatch(/^HTTP\/1\.1 400 /);
  });
});
