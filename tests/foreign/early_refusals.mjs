// Takes every early refusal through the fetch of Node, which keeps connections; early_refusals.py tells more.
// Usage: node early_refusals.mjs URL URL_WITH_USED_UP_QUOTA CLIENT_ID CLIENT_SECRET
import { readFileSync } from "node:fs";

// How often each refusal is taken, and each time followed by a good request.
const PAIRS = 30;
// A slow machine may take long; a request that takes longer has failed.
const TIMEOUT_MS = 120_000;
const COMMON = {
  server: "open",
  method: "POST",
  path: "/v1/payment-runs",
  token: "right",
  content_type: "application/json",
  headers: [],
  bytes: 64 * 1024,
  clients: ["fetch"],
};

async function ask(url, options = {}) {
  const answer = await fetch(url, { ...options, signal: AbortSignal.timeout(TIMEOUT_MS) });
  // The connection is free once the answer was read.
  return { status: answer.status, text: await answer.text() };
}

async function json(url, options) {
  const { status, text } = await ask(url, options);
  if (status >= 300) throw new Error(`${url} was answered ${status}: ${text}`);
  return JSON.parse(text);
}

async function token(url, id, secret) {
  const body = new URLSearchParams({ client_id: id, client_secret: secret, grant_type: "client_credentials" });
  return (await json(`${url}/oauth/token`, { method: "POST", body })).access_token;
}

// What a server takes for a token, by the name that the list gives it.
async function tokens(url, id, secret) {
  const right = await token(url, id, secret);
  const headers = { authorization: `Bearer ${right}`, "content-type": "application/json" };
  const made = await json(`${url}/ops/clients`, { method: "POST", headers, body: '{"permissions": []}' });
  const powerless = await token(url, made.client.client_id, made.client_secret);
  return { none: undefined, wrong: "wrong", right, powerless };
}

// What is wrong with how a request is refused, and how the client goes on; nothing if all is well.
async function fault(url, wanted, bearer) {
  const headers = [["content-type", wanted.content_type], ...wanted.headers];
  if (bearer !== undefined) headers.push(["authorization", `Bearer ${bearer}`]);
  const request = { method: wanted.method, headers, body: "x".repeat(wanted.bytes) };
  try {
    for (let pair = 0; pair < PAIRS; pair += 1) {
      const refused = await ask(url + wanted.path, request);
      if (refused.status !== wanted.status) return `expected ${wanted.status}, found ${refused.status}`;
      const next = await ask(`${url}/healthz`);
      if (next.status !== 200) return `the next request was answered ${next.status}`;
    }
  } catch (error) {
    return `${error}: ${error.cause}`;
  }
  return undefined;
}

const [open, usedUp, id, secret] = process.argv.slice(2);
const urls = { open, used_up: usedUp };
const bearers = { open: await tokens(open, id, secret), used_up: await tokens(usedUp, id, secret) };
const list = JSON.parse(readFileSync(new URL("early_refusals.json", import.meta.url)));
const cases = list.map((one) => ({ ...COMMON, ...one })).filter((one) => one.clients.includes("fetch"));
for (const wanted of cases) {
  const found = await fault(urls[wanted.server], wanted, bearers[wanted.server][wanted.token]);
  if (found !== undefined) {
    console.error(`fetch, ${wanted.what}: ${found}`);
    process.exitCode = 1;
  }
}
if (!process.exitCode) console.log(`the fetch of Node took ${cases.length} early refusals and went on`);
