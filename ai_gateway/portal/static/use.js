// Figures of what was used, and of what is left.

import { element, fill, find, moment } from "./page.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 900;
const HEIGHT = 120;

const WINDOWS = new Map([
  [1, "a second"], [60, "a minute"], [3600, "an hour"], [86400, "a day"], ["day", "a day"], ["month", "a month"],
]);

const number = (value) => (value ?? 0).toLocaleString();
const money = (value) => (value === null ? "–" : value.toLocaleString(undefined, { maximumFractionDigits: 4 }));
const cell = (text) => element("td", { class: "number" }, text);

function totals(total) {
  const shown = [
    ["Requests", number(total.requests)],
    ["Tokens in", number(total.input_tokens)],
    ["Tokens out", number(total.output_tokens)],
    ["Cost", money(total.cost)],
  ];
  find("totals").replaceChildren(
    ...shown.map(([name, text]) => element("div", {}, element("dt", {}, name), element("dd", {}, text))),
  );
}

function svg(tag, attributes, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function dates(count) {
  const today = Date.now();
  return Array.from({ length: count }, (_, back) =>
    new Date(today - (count - 1 - back) * 86400000).toISOString().slice(0, 10));
}

function chart(days, count) {
  const by = new Map(days.map((each) => [each.date, each]));
  const most = Math.max(1, ...days.map((each) => each.requests));
  const step = WIDTH / count;
  const bars = dates(count).map((date, place) => {
    const requests = by.get(date)?.requests ?? 0;
    const height = (requests / most) * HEIGHT;
    const shape = { class: "bar-of", x: place * step + step * 0.1, y: HEIGHT - height, width: step * 0.8, height };
    return svg("rect", shape, svg("title", {}, `${date}: ${number(requests)} requests, cost ${money(by.get(date)?.cost ?? null)}`));
  });
  const base = svg("line", { x1: 0, x2: WIDTH, y1: HEIGHT, y2: HEIGHT });
  const label = `Requests a day over ${count} days, at most ${number(most)}`;
  const shape = { viewBox: `0 0 ${WIDTH} ${HEIGHT + 1}`, preserveAspectRatio: "none", role: "img", "aria-label": label };
  find("chart").hidden = !days.length;
  find("chart").replaceChildren(svg("svg", shape, ...bars, base));
  find("chart-caption").textContent = days.length
    ? `Requests a day (UTC), ${dates(count)[0]} to today; the highest bar is ${number(most)}.`
    : "Nothing was asked in these days.";
}

function keys(found) {
  fill("by-key", found.map((key) => element("tr", {},
    element("td", {}, key.name), cell(number(key.requests)), cell(number(key.errors)),
    cell(number(key.input_tokens)), cell(number(key.output_tokens)), cell(money(key.cost)),
  )), "No key was used in these days.");
}

function limits(found) {
  const note = find("limits-note");
  note.hidden = found !== null;
  note.textContent = "How they stand is being counted; look again in a moment.";
  fill("limits", (found ?? []).map((each) => {
    const figure = each.unit === "cost" ? money : number;
    const unit = each.unit === "cost" ? "" : ` ${each.unit}`;
    const window = WINDOWS.get(each.window) ?? `in ${each.window} s`;
    const used = element("progress", { max: each.allowed, value: each.used, "aria-label": "used" });
    return element("tr", {},
      element("td", {}, `${each.name}: ${figure(each.allowed)}${unit} ${window}`),
      element("td", {}, each.of),
      element("td", { class: "nowrap" }, used, figure(each.used)),
      cell(figure(each.left)),
      element("td", { class: "nowrap last" }, each.used ? moment(each.resets_at) : "–"),
    );
  }), found === null ? "–" : "No key of yours meets a limit.");
}

export function show(found, count) {
  totals(found.total);
  chart(found.days, count);
  keys(found.keys);
  limits(found.limits);
}
