// The explorer: reads the document with the caller's key, lists what he may call, and calls it.
// The key stands in its field and nowhere else; what comes back is shown as text, never as markup.

import { element, form, prose } from "./form.js";

const SHOWN = 1_000_000; // characters of an answer
const METHODS = ["get", "post", "put", "patch", "delete", "head", "options"];
const BASE = new URL(".", document.baseURI);
const at = (id) => document.getElementById(id);
let operations = [];
let root = {};
let controller = null;

/** The header that says who calls; empty without a key. */
function credentials() {
  const key = at("key").value.trim();
  if (!key) return {};
  const name = at("scheme").value;
  return { [name]: name === "Authorization" ? `Bearer ${key}` : key };
}

async function load() {
  at("told").textContent = "Reading the document …";
  let reply;
  try {
    reply = await fetch(new URL("openapi.json", BASE), {
      headers: credentials(), redirect: "error", cache: "no-store",
    });
  } catch {
    at("told").textContent = "The gateway cannot be reached.";
    return;
  }
  if (!reply.ok) {
    list({});
    at("told").textContent = reply.status === 401
      ? "Enter a key or a token: the document tells each caller what he may call."
      : `The document was refused with ${reply.status}.`;
    at("key").focus();
    return;
  }
  list(await reply.json());
  at("told").textContent = `${operations.length} operations`;
  show();
}

function list(found) {
  root = found;
  operations = Object.entries(found.paths || {}).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => ({ path, method, ...item[method] })));
  filter();
  at("filter").closest("nav").hidden = !operations.length;
  if (!operations.length) at("main").replaceChildren();
}

function filter() {
  const wanted = at("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = ({ method, path, summary }) => {
    const text = `${method} ${path} ${summary}`.toLowerCase();
    return wanted.every((word) => text.includes(word));
  };
  const groups = new Map();
  for (const each of operations.filter(fits)) {
    groups.set(each.tags[0], [...(groups.get(each.tags[0]) || []), each]);
  }
  at("operations").replaceChildren(...[...groups].flatMap(([tag, members]) => [
    element("h2", {}, tag),
    element("ul", {}, ...members.map(entry)),
  ]));
  mark();
}

function entry(operation) {
  const link = element("a", { href: `#${operation.operationId}`, title: operation.summary },
    badge(operation.method), element("span", { className: "path" }, operation.path));
  return element("li", {}, link);
}

function badge(method) {
  return element("span", { className: `method ${method}` }, method.toUpperCase());
}

const chosen = () => location.hash.slice(1); // as it stands: no operation's name has to be escaped

function mark() {
  for (const link of at("operations").querySelectorAll("a")) {
    if (link.getAttribute("href") === `#${chosen()}`) {
      link.setAttribute("aria-current", "true");
      link.scrollIntoView({ block: "nearest" });
    } else link.removeAttribute("aria-current");
  }
}

function show() {
  const operation = operations.find((each) => each.operationId === chosen()) || operations[0];
  if (!operation) return;
  if (controller) controller.abort();
  const fields = form(operation, root);
  const output = element("section", { "aria-label": "Answer", className: "answer" });
  const send = element("button", { type: "submit", className: "send" }, "Send");
  const stop = element("button", { type: "button", hidden: true }, "Stop");
  const asked = element("form", { noValidate: true }, ...fields.parts,
    element("div", { className: "actions" }, send, stop));
  const curl = element("pre", { tabIndex: 0 });
  const retell = () => { curl.textContent = command(operation, fields.read()); };
  asked.addEventListener("input", retell);
  asked.addEventListener("submit", (event) => {
    event.preventDefault();
    if (asked.reportValidity()) ask(operation, fields.read(), output, stop);
  });
  stop.addEventListener("click", () => controller && controller.abort());
  at("main").replaceChildren(
    element("h2", { className: "operation" }, badge(operation.method),
      element("span", { className: "path" }, operation.path)),
    element("p", { className: "summary" }, operation.summary),
    ...prose(operation.description || ""), access(operation), asked, output,
    details("curl", curl), details("What it may answer", answers(operation)),
  );
  retell();
  mark();
}

function details(title, ...children) {
  return element("details", { open: title === "curl" }, element("summary", {}, title), ...children);
}

function access(operation) {
  const names = new Set(operation.security.flatMap((each) => Object.keys(each).map(header)));
  const open = operation.security.some((each) => !Object.keys(each).length);
  const said = open ? "Open to all." : `Takes any of: ${[...names].join(", ")}.`;
  return element("p", { className: "note" }, said);
}

function header(name) {
  const scheme = root.components.securitySchemes[name];
  return scheme.type === "http" ? "Authorization: Bearer" : scheme.name;
}

function answers(operation) {
  const rows = Object.entries(operation.responses).map(([status, declared]) => {
    const found = declared.$ref
      ? root.components.responses[declared.$ref.split("/").pop()] : declared;
    const kinds = Object.keys(found.content || {}).join(", ");
    return element("tr", {}, element("th", { scope: "row" }, status),
      element("td", {}, found.description), element("td", {}, element("code", {}, kinds)));
  });
  const head = ["status", "when", "as"].map((each) => element("th", { scope: "col" }, each));
  return element("table", {}, element("thead", {}, element("tr", {}, ...head)),
    element("tbody", {}, ...rows));
}

/** The request that `read` makes of `operation`: its address, headers and body. */
function request(operation, read) {
  let path = operation.path.slice(1);
  const url = new URL(BASE);
  const headers = {};
  for (const { name, in: place, value, "x-rest-of-path": rest } of read.parameters) {
    if (place === "path") {
      const parts = rest ? value.replace(/^\/+/, "").split("/") : [value];
      path = path.replace(`{${name}}`, parts.map(encodeURIComponent).join("/"));
    } else if (value && place === "query") url.searchParams.append(name, value);
    else if (value) headers[name] = value;
  }
  url.pathname += path;
  // Without a body too: what changes something says that it is JSON, as no form of another site can.
  if (read.type !== "multipart/form-data" && operation.method !== "get") {
    headers["Content-Type"] = read.type || "application/json";
  }
  return { url, headers, body: read.body };
}

async function ask(operation, read, output, stop) {
  const { url, headers, body } = request(operation, read);
  const method = operation.method.toUpperCase();
  const status = element("p", { role: "status", className: "status" }, "Sent, waiting …");
  output.replaceChildren(element("h3", {}, "Answer"), status);
  const mine = new AbortController();
  controller = mine;
  stop.hidden = false;
  const started = performance.now();
  try {
    const reply = await fetch(url, {
      method, body, headers: { ...credentials(), ...headers }, signal: mine.signal,
      redirect: "manual", cache: "no-store", credentials: "same-origin",
    });
    const spent = () => `${((performance.now() - started) / 1000).toFixed(2)} s`;
    status.textContent = `${reply.status} ${reply.statusText} after ${spent()}`;
    status.classList.add(reply.ok ? "good" : "bad");
    const lines = [...reply.headers].map(([name, value]) => `${name}: ${value}`);
    output.append(details("Headers", element("pre", { tabIndex: 0 }, lines.join("\n"))));
    await receive(reply, output);
    status.textContent = `${reply.status} ${reply.statusText}, whole after ${spent()}`;
  } catch (error) {
    status.classList.add("bad");
    status.textContent = error.name === "AbortError" ? "Stopped." : "The answer broke off.";
  } finally {
    stop.hidden = true;
  }
}

const TEXT = /^(text\/|application\/(json|x-ndjson|problem\+json|xml))/;

/** Show what comes, as it comes; what is no text can be kept as a file. */
async function receive(reply, output) {
  const type = reply.headers.get("content-type") || "";
  if (!TEXT.test(type)) {
    const blob = new Blob([await reply.blob()]); // without its type: opened in a tab, it shows nothing
    if (!blob.size) return;
    const link = element("a", { href: URL.createObjectURL(blob), download: "answer" },
      `Keep ${blob.size.toLocaleString("en")} bytes of ${type || "no type"}`);
    output.append(link);
    return;
  }
  const shown = element("pre", { tabIndex: 0, "aria-label": "Body" });
  output.append(shown);
  const decoder = new TextDecoder();
  const reader = reply.body.getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    text += decoder.decode(value, { stream: !done });
    if (text.length > SHOWN) {
      shown.textContent = `${text.slice(0, SHOWN)}\n… more than is shown here`;
      await reader.cancel();
      return;
    }
    shown.textContent = text;
    if (done) break;
  }
  if (type.startsWith("application/json")) shown.textContent = pretty(text);
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** The same request for a shell; the key comes from its environment. */
function command(operation, read) {
  const { url, headers, body } = request(operation, read);
  const quoted = (text) => `'${String(text).replaceAll("'", "'\\''")}'`;
  const name = at("scheme").value;
  const bearer = name === "Authorization" ? "Bearer " : "";
  const parts = [`curl -N -X ${operation.method.toUpperCase()} ${quoted(url)}`];
  if (operation.security.some((each) => Object.keys(each).length)) {
    parts.push(`-H "${name}: ${bearer}$AI_GATEWAY_API_KEY"`);
  }
  for (const [key, value] of Object.entries(headers)) parts.push(`-H ${quoted(`${key}: ${value}`)}`);
  if (body instanceof FormData) {
    for (const [key, value] of body) {
      const file = value instanceof File;
      parts.push(`${file ? "-F" : "--form-string"} ${quoted(`${key}=${file ? `@${value.name}` : value}`)}`);
    }
  } else if (body) parts.push(`--data-raw ${quoted(body)}`);
  return parts.join(" \\\n  ");
}

at("credentials").addEventListener("submit", (event) => {
  event.preventDefault();
  load();
});
at("scheme").addEventListener("change", show);
at("filter").addEventListener("input", filter);
at("raw").addEventListener("click", async (event) => {
  if (!at("key").value) return; // a link cannot carry a key
  event.preventDefault();
  const blob = new Blob([JSON.stringify(root, null, 2)], { type: "application/json" });
  element("a", { href: URL.createObjectURL(blob), download: "openapi.json" }).click();
});
window.addEventListener("hashchange", () => {
  if (chosen() === "main") return;
  show();
  at("main").focus();
});
load();
