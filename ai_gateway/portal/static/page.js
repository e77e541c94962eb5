// Texts become text nodes, never markup; requests carry the session's CSRF token.

let csrf = null;

export class Problem extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export const find = (id) => document.getElementById(id);

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export function fill(id, rows, empty) {
  const body = find(id).tBodies[0];
  const columns = find(id).tHead.rows[0].cells.length;
  const nothing = element("tr", {}, element("td", { class: "empty", colspan: columns }, empty));
  body.replaceChildren(...(rows.length ? rows : [nothing]));
}

export function say(text, bad = false) {
  const status = find("status");
  status.hidden = !text;
  status.textContent = text;
  status.classList.toggle("bad", bad);
  if (text) status.scrollIntoView({ block: "nearest" });
}

export function protect(token) {
  csrf = token;
}

export async function ask(method, path, body) {
  const headers = { accept: "application/json" };
  if (method !== "GET") headers["content-type"] = "application/json";
  if (method !== "GET" && csrf) headers["x-csrf-token"] = csrf;
  const wanted = { method, headers, credentials: "same-origin", redirect: "error", cache: "no-store" };
  if (body !== undefined) wanted.body = JSON.stringify(body);
  let answer;
  try {
    answer = await fetch(path, wanted);
  } catch {
    throw new Problem(0, "The gateway does not answer; try again.");
  }
  const value = await answer.json().catch(() => ({}));
  if (answer.ok) return value;
  throw new Problem(answer.status, value.error?.message ?? `The gateway answered ${answer.status}.`);
}

export async function copy(button, text, source) {
  const label = "Copy";
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = label; }, 2000);
  } catch {
    getSelection().selectAllChildren(source);
    say("The browser does not let this page copy; the text is selected instead.");
  }
}

export function sure(title, text, yes) {
  const dialog = find("sure");
  find("sure-title").textContent = title;
  find("sure-text").textContent = text;
  find("sure-yes").textContent = yes;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

const SOON = 48 * 3600 * 1000;

export const moment = (text) => new Date(text).toLocaleString(undefined, { dateStyle: "short", timeStyle: "short" });

/** The day, and the time too where it is near. */
export function end(text) {
  if (!text) return "never";
  return Math.abs(new Date(text) - Date.now()) < SOON ? moment(text) : new Date(text).toLocaleDateString();
}
