/**
 * The demo application: says which container answers and which version it is, can be made sick, and can be slow.
 * PORT (8080) and VERSION come from the environment; the container is known by its host name.
 */
import { createServer } from 'node:http';
import { hostname } from 'node:os';
import process from 'node:process';
import { page } from './page.js';
import { accept } from './websocket.js';

const MAX_WAIT_MS = 600_000;
const MAX_JSON_BYTES = 10_000;

const identity = { version: process.env.VERSION ?? 'development', container: hostname() };
const marks = { 'X-Version': identity.version, 'X-Container': identity.container };
/** @type {Set<import('./websocket.js').Conversation>} WebSockets that are open. */
const conversations = new Set();
let healthy = true;
let stopping = false;

/** What answers at a path: (request, response, query). */
const routes = {
  '/': ({ headers }, response) =>
    headers.accept?.includes('application/json')
      ? json(response, 200, identity)
      : reply(response, 200, 'text/html; charset=utf-8', page(identity, healthy)),
  '/health': (_request, response) => json(response, healthy ? 200 : 500, { health: healthy }),
  '/api/health': setHealth,
  '/slow': async (_request, response, query) => {
    const ms = whole(query, 'ms', 1000);
    await sleep(ms);
    json(response, 200, { ...identity, ms });
  },
  '/stream': stream,
  '/echo': echo,
  '/ws': (_request, response) =>
    json(response, 426, { error: 'this is a WebSocket' }, { Upgrade: 'websocket' }),
};

async function setHealth(request, response) {
  if (request.method === 'POST') {
    const { health } = await readJson(request);
    if (typeof health !== 'boolean') throw new Refusal('send {"health":true} or {"health":false}');
    healthy = health;
    console.log(`health is ${healthy} now`);
  }
  json(response, 200, { health: healthy });
}

/** `chunks` lines (10), `ms` (200) apart. */
async function stream(_request, response, query) {
  const chunks = whole(query, 'chunks', 10);
  const ms = whole(query, 'ms', 200);
  response.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8', ...marks });
  for (let n = 1; n <= chunks && !response.destroyed; n++) {
    if (n > 1) await sleep(ms);
    response.write(`${n} of ${chunks} from ${identity.container} version ${identity.version}\n`);
  }
  response.end();
}

async function echo(request, response) {
  let length = 0;
  for await (const chunk of request) length += chunk.length;
  const { method, url, headers } = request;
  json(response, 200, { ...identity, method, url, headers, length });
}

/** What the caller did wrong; answered with 400. */
class Refusal extends Error {}

async function readJson(request) {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk;
    if (text.length > MAX_JSON_BYTES) throw new Refusal(`more than ${MAX_JSON_BYTES} bytes of JSON`);
  }
  try {
    return Object(JSON.parse(text));
  } catch {
    throw new Refusal('the body is not JSON');
  }
}

function whole(query, name, otherwise) {
  const text = query.get(name) ?? String(otherwise);
  if (!/^\d{1,9}$/.test(text) || Number(text) > MAX_WAIT_MS)
    throw new Refusal(`${name} is a whole number from 0 to ${MAX_WAIT_MS}`);
  return Number(text);
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function json(response, status, value, headers = {}) {
  reply(response, status, 'application/json', `${JSON.stringify(value)}\n`, headers);
}

function reply(response, status, type, body, headers = {}) {
  // Whoever keeps connections must not send the next request to a server that is going.
  const going = stopping ? { Connection: 'close' } : {};
  response.writeHead(status, {
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(body),
    ...marks,
    ...going,
    ...headers,
  });
  response.end(body);
}

const server = createServer(async (request, response) => {
  response.on('close', () => stopping && server.closeIdleConnections());
  const [path, query] = request.url.split('?', 2);
  try {
    if (!Object.hasOwn(routes, path)) json(response, 404, { error: `nothing at ${path}` });
    else await routes[path](request, response, new URLSearchParams(query));
  } catch (error) {
    if (response.headersSent || response.destroyed) response.destroy();
    else json(response, error instanceof Refusal ? 400 : 500, { error: error.message });
  }
});

server.on('upgrade', (request, socket, head) => {
  if (request.url.split('?')[0] !== '/ws')
    return socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
  const conversation = accept(request, socket, head, marks);
  if (conversation === null) return;
  conversations.add(conversation);
  socket.on('close', () => conversations.delete(conversation));
  conversation.say(JSON.stringify(identity));
  if (stopping) conversation.close(1001);
});

// Longer than a gateway keeps an unused connection: it, not we, should be the one to close.
server.keepAliveTimeout = 75_000;

/** Takes no new connection, lets what runs end (conversations are told to), and is gone when nothing runs. */
function stop(signal) {
  if (stopping) return;
  stopping = true;
  console.log(`${signal}: finishing what runs`);
  server.close(() => process.exit(0));
  for (const conversation of conversations) conversation.close(1001);
}

process.on('SIGTERM', stop);
process.on('SIGINT', stop);
server.listen(Number(process.env.PORT ?? 8080), () =>
  console.log(
    `version ${identity.version} in ${identity.container} listens on port ${server.address().port}`,
  ),
);
