import { ask, copy, element, end as ends, fill, find, protect, say, sure } from "./page.js";
import { note, snippet } from "./snippets.js";
import { show } from "./use.js";

const PROBLEMS = new Map([
  ["expired", "That sign-in took too long or began elsewhere. Sign in again."],
  ["denied", "The sign-in was refused."],
  ["failed", "The sign-in did not work. Ask who runs this gateway; its log says why."],
  ["unavailable", "Nobody can sign in just now. Try again in a moment."],
]);
const LANGUAGES = ["python", "node", "curl"];
const LIVES = [1, 7, 30, 90, 180, 365];

let person = null;
let keys = [];
let fresh = null;
let language = "python";

function failed(problem) {
  if (problem.status === 401) return signedOut("You are signed out.");
  return say(problem.message, true);
}

const tried = (work) => async (event) => {
  event?.preventDefault?.();
  say("");
  try {
    await work(event);
  } catch (problem) {
    failed(problem);
  }
};

function signedOut(text) {
  person = fresh = null;
  keys = [];
  protect(null);
  find("fresh-text").textContent = find("code-text").textContent = "";
  for (const id of ["signed-in", "fresh", "who", "sign-out"]) find(id).hidden = true;
  find("signed-out").hidden = false;
  say(text ?? "");
}

function signedIn() {
  protect(person.csrf);
  find("who").textContent = person.name;
  find("who").title = `${person.id}, tenant ${person.tenant}`;
  find("sign-out").hidden = !person.signs_out;
  for (const id of ["who", "signed-in"]) find(id).hidden = false;
  choices("routes", person.keys.routes.map((route) => [route.name, `${route.name} (${route.path})`]), true);
  choices("models", person.keys.models.map((name) => [name, name]), true);
  choices("scopes", person.keys.scopes.map((name) => [name, name]), false);
  lives();
  code();
}

function choices(id, options, checked) {
  const legend = find(id).querySelector("legend");
  const boxes = options.map(([value, text]) => {
    const box = element("input", { type: "checkbox", value });
    box.checked = checked;
    return element("label", {}, box, text);
  });
  find(id).replaceChildren(legend, ...boxes);
  find(id).hidden = !options.length;
}

function life(days) {
  const [count, unit] = Number.isInteger(days) ? [days, "day"] : [days * 24, "hour"];
  return count.toLocaleString(undefined, { style: "unit", unit, unitDisplay: "long", maximumFractionDigits: 2 });
}

function lives() {
  const longest = person.keys.longest_days;
  const days = [...LIVES.filter((each) => each < longest), longest];
  const options = days.map((each) => element("option", { value: `${each}d` }, life(each)));
  const select = find("new").elements.expires_in;
  select.replaceChildren(...options);
  select.selectedIndex = options.length - 1;
}

function picked(id) {
  const boxes = [...find(id).querySelectorAll("input")];
  const on = boxes.filter((box) => box.checked).map((box) => box.value);
  return { on, all: on.length === boxes.length };
}

function table() {
  const live = keys.filter((key) => key.status === "active");
  const shown = find("ended").checked ? keys : live;
  find("ended-label").hidden = live.length === keys.length;
  find("keys-count").textContent = `${live.length} of at most ${person.keys.most}`;
  fill("keys", shown.map(row), "You have no key yet. Make one below.");
}

function row(key) {
  const actions = element("td", { class: "actions" });
  if (key.status === "active") {
    if (!key.replaced_by) actions.append(action("Rotate", "quiet", `Rotate ${key.name}`, () => rotate(key)));
    actions.append(action("End", "danger", `End ${key.name}`, () => end(key)));
  }
  return element("tr", {},
    element("td", {}, key.name),
    element("td", { class: "nowrap" }, element("code", {}, `${key.prefix}…`)),
    element("td", {}, element("span", { class: `state ${key.status}` }, key.replaced_by && key.status === "active" ? "followed" : key.status)),
    element("td", { class: "nowrap" }, ends(key.retire_at ?? key.expires_at)),
    actions,
  );
}

function action(text, kind, label, work) {
  const button = element("button", { type: "button", class: kind, "aria-label": label }, text);
  button.addEventListener("click", tried(work));
  return button;
}

function told(key) {
  fresh = key.key;
  find("fresh-title").textContent = `Your new key: ${key.name}`;
  find("fresh-text").textContent = fresh;
  find("fresh").hidden = false;
  find("fresh-title").focus();
  code();
}

function code() {
  for (const each of LANGUAGES) {
    const tab = find(`tab-${each}`);
    tab.setAttribute("aria-selected", String(each === language));
    tab.tabIndex = each === language ? 0 : -1;
  }
  find("code").setAttribute("aria-labelledby", `tab-${language}`);
  const text = snippet(language, person.keys.routes, fresh);
  find("code").hidden = text === null;
  find("code-text").textContent = text ?? "";
  find("code-note").textContent = text === null ? "No chat route is given to your keys." : note(fresh);
}

async function load() {
  keys = (await ask("GET", "/portal/keys")).data;
  table();
}

async function use() {
  const days = Number(find("days").value);
  show(await ask("GET", `/portal/use?days=${days}`), days);
}

const again = () => Promise.all([tried(load)(), tried(use)()]);

async function make() {
  const form = find("new");
  const wanted = { name: form.elements.name.value, expires_in: form.elements.expires_in.value };
  for (const id of ["routes", "models"]) {
    const { on, all } = picked(id);
    if (!all) wanted[id] = on;
  }
  wanted.scopes = picked("scopes").on;
  const made = await ask("POST", "/portal/keys", wanted);
  form.elements.name.value = "";
  told(made);
  await again();
}

async function rotate(key) {
  const text = "A new key takes its place, with the same rights. The old one works for another hour.";
  if (!(await sure(`Rotate ${key.name}?`, text, "Rotate it"))) return;
  told(await ask("POST", `/portal/keys/${key.id}/rotate`, { overlap: "1h" }));
  await again();
}

async function end(key) {
  const text = "Whatever uses it is refused from now on. This cannot be taken back.";
  if (!(await sure(`End ${key.name}?`, text, "End it"))) return;
  await ask("DELETE", `/portal/keys/${key.id}`);
  await again();
}

function done() {
  fresh = null;
  find("fresh").hidden = true;
  find("fresh-text").textContent = "";
  code();
}

function tabs(event) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  language = LANGUAGES[(LANGUAGES.indexOf(language) + step + LANGUAGES.length) % LANGUAGES.length];
  code();
  find(`tab-${language}`).focus();
}

function listen() {
  find("new").addEventListener("submit", tried(make));
  find("sign-out").addEventListener("click", tried(async () => {
    await ask("POST", "/portal/logout");
    signedOut("You are signed out.");
  }));
  find("days").addEventListener("change", tried(use));
  find("ended").addEventListener("change", table);
  find("fresh-copy").addEventListener("click", () => copy(find("fresh-copy"), fresh, find("fresh-text")));
  find("fresh-done").addEventListener("click", done);
  find("code-copy").addEventListener("click", () => copy(find("code-copy"), find("code-text").textContent, find("code-text")));
  for (const each of LANGUAGES) {
    find(`tab-${each}`).addEventListener("click", () => { language = each; code(); });
    find(`tab-${each}`).addEventListener("keydown", tabs);
  }
}

async function start() {
  listen();
  const problem = PROBLEMS.get(new URLSearchParams(location.search).get("problem"));
  history.replaceState(null, "", location.pathname);
  try {
    person = await ask("GET", "/portal/me");
  } catch (error) {
    if (error.status !== 401) return say(error.message, true);
    signedOut();
    return say(problem ?? "", true);
  }
  signedIn();
  await again();
}

start();
