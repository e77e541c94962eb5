// The form of one operation: what it takes, filled in where the document has an example.

import { example, isFile, resolved, words } from "./schema.js";

/** An element with properties and children; text is text, whatever it holds. */
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

/** Text in which what stands between backticks is code. */
export function prose(text) {
  const paragraphs = text.split("\n\n").filter(Boolean);
  return paragraphs.map((paragraph) => {
    const parts = paragraph.split("`");
    return element("p", {}, ...parts.map((part, at) => (at % 2 ? element("code", {}, part) : part)));
  });
}

/** The fields of an operation, and a function that reads them. */
export function form(operation, root) {
  const parameters = operation.parameters.map((each) => parameter(each, root));
  const body = bodyField(operation.requestBody, root);
  const parts = [];
  if (parameters.length) {
    parts.push(group("Parameters", ...parameters.map((each) => each.row)));
  }
  if (body) parts.push(group(body.legend, ...body.rows));
  const read = () => ({
    parameters: parameters.map((each) => ({ ...each.declared, value: each.value() })),
    body: body ? body.value() : null,
    type: body ? body.type : null,
  });
  return { parts, read };
}

function group(legend, ...rows) {
  return element("fieldset", {}, element("legend", {}, legend), ...rows);
}

function row(name, note, input, required) {
  input.id = `field-${name}`;
  input.required = required;
  const label = element("label", { htmlFor: input.id }, name);
  if (required) label.append(element("span", { className: "must" }, " required"));
  const said = element("span", { className: "note", id: `${input.id}-note` }, note);
  input.setAttribute("aria-describedby", said.id);
  return element("div", { className: "row" }, label, input, said);
}

function parameter(declared, root) {
  const schema = resolved(declared.schema, root);
  const input = choice(schema) || element("input", { type: "text", autocomplete: "off" });
  const where = { path: "in the path", query: "in the query", header: "a header" }[declared.in];
  const said = [where, words(schema, root), declared.description || schema.description];
  const note = said.filter(Boolean).join("; ");
  return { declared, row: row(declared.name, note, input, declared.required), value: () => input.value };
}

function choice(schema) {
  if (!schema.enum) return null;
  const options = ["", ...schema.enum].map((each) => element("option", { value: each }, each));
  return element("select", {}, ...options);
}

function bodyField(declared, root) {
  if (!declared) return null;
  const [type, media] = Object.entries(declared.content)[0];
  if (type === "multipart/form-data") return multipart(type, resolved(media.schema, root), root);
  const given = media.example ?? (media.schema ? example(media.schema, root) : null);
  const text = given === null || !declared.required && media.example === undefined
    ? "" : JSON.stringify(given, null, 2);
  const area = element("textarea", { value: text, rows: 10, spellcheck: false });
  const sent = type === "*/*" ? "application/json" : type;
  const note = declared.required ? "" : "may be left out";
  return {
    legend: "Body",
    type: sent,
    rows: [row(sent, note, area, declared.required)],
    value: () => area.value || null,
  };
}

function multipart(type, schema, root) {
  const fields = Object.entries(schema.properties || {}).map(([name, declared]) => {
    const found = resolved(declared, root);
    const input = isFile(found)
      ? element("input", { type: "file" })
      : choice(found) || element("input", { type: "text", autocomplete: "off" });
    const required = (schema.required || []).includes(name);
    return { name, input, row: row(name, isFile(found) ? "a file" : words(found, root), input, required) };
  });
  const value = () => {
    const data = new FormData();
    for (const { name, input } of fields) {
      const given = input.files ? input.files[0] : input.value;
      if (given) data.append(name, given);
    }
    return data;
  };
  return { legend: `Body: ${type}`, type, rows: fields.map((each) => each.row), value };
}
