// node run.mjs CLIENT CASE TARGET: one case of CLIENT.mjs; TARGET is JSON, a failure the exit code.
const [client, name, target] = process.argv.slice(2);
const { cases } = await import(`./${client}.mjs`);
if (name === "--list") {
  console.log(JSON.stringify(Object.keys(cases)));
} else {
  await cases[name](JSON.parse(target));
}
