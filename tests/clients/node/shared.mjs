// What the cases of all clients share; the questions are those of ../conftest.py.
import assert from "node:assert/strict";

export const QUESTION = "What is a Finite State Machine?";
export const FACT = "finite set of states";
export const BOTH = "What is the weather and the time in Paris?";
export const fails = (directive) => `${QUESTION} [[simulate ${directive}]]`;
// What a client sees where the model fails with `status`, and `retry-after: 7`.
export const seen = (target, status) => target.statuses[status] ?? status;
export const retryAfter = (target, status) =>
  target.passing.includes(status) || !target.gateway ? "7" : null;
// A question that is refused the first time it is asked, with a wait of a second.
export const failsOnce = () =>
  fails(`status=429; retry-after=1; times=1; latency=0.0${Math.floor(Math.random() * 1e9)}`);
// Whether `call` succeeds in one to three seconds: it waited as it was told.
export async function waited(call) {
  const start = performance.now();
  const found = await call();
  const seconds = (performance.now() - start) / 1000;
  assert.ok(seconds >= 1 && seconds < 3, `after ${seconds} s`);
  return found;
}
export const SILENT = "Hello! [[simulate say=One two three.; chunk-delay=0.5]]";
export const IMAGE = "AAAA"; // in base64
export const ENDLESS = fails("tokens=1200; chunk-delay=0.05");

const schema = (properties) => ({
  type: "object",
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
});
export const WEATHER = {
  name: "get_weather",
  description: "The current weather in a city.",
  schema: schema({ city: { type: "string" } }),
};
export const CLOCK = {
  name: "get_time",
  description: "The local time at a place.",
  schema: schema({ place: { type: "string" } }),
};

// The error that `call` fails with, within two seconds.
export async function failure(call) {
  const start = performance.now();
  const error = await call().then(
    () => assert.fail("it should have failed"),
    (found) => found,
  );
  assert.ok(!(error instanceof assert.AssertionError), error);
  assert.ok(performance.now() - start < 2000, "it took too long");
  return error;
}
