// What a JSON Schema of the document says: references followed, an example made, a line of text.

const DEEPEST = 6;

/** `schema` with its reference followed. */
export function resolved(schema, root) {
  let found = schema;
  for (let step = 0; found && found.$ref && step < DEEPEST; step += 1) {
    found = found.$ref.slice(2).split("/").reduce((value, key) => value && value[key], root);
  }
  return found || {};
}

/** A value that fits `schema`: what must be there, and of the rest nothing. */
export function example(schema, root, depth = 0) {
  const found = resolved(schema, root);
  for (const key of ["example", "const", "default"]) {
    if (found[key] !== undefined && found[key] !== null) return found[key];
  }
  if (found.enum) return found.enum[0];
  const options = found.anyOf || found.oneOf || found.allOf;
  if (options) return example(options.find((each) => each.type !== "null") || {}, root, depth);
  return depth > DEEPEST ? null : plain(found, root, depth);
}

function plain(schema, root, depth) {
  const type = [schema.type].flat().find((each) => each !== "null");
  if (type === "object") return object(schema, root, depth);
  if (type === "array") {
    return schema.minItems ? [example(schema.items || {}, root, depth + 1)] : [];
  }
  return { string: "", integer: schema.minimum || 0, number: 0, boolean: false }[type] ?? null;
}

function object(schema, root, depth) {
  const names = schema.required || [];
  return Object.fromEntries(
    names.map((name) => [name, example((schema.properties || {})[name] || {}, root, depth + 1)]),
  );
}

/** `schema` in a few words, such as "string or null". */
export function words(schema, root) {
  const found = resolved(schema, root);
  const options = found.anyOf || found.oneOf;
  if (options) return [...new Set(options.map((each) => words(each, root)))].join(" or ");
  if (found.enum) return found.enum.join(", ");
  if (found.const !== undefined) return JSON.stringify(found.const);
  if (found.type === "array") return `list of ${words(found.items || {}, root)}`;
  return [found.type || "any"].flat().join(" or ");
}

/** Whether a form's field holds a file. */
export function isFile(schema) {
  return schema.format === "binary";
}
