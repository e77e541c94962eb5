// The Vercel AI SDK with its providers for OpenAI (chat and responses) and what is compatible.
import assert from "node:assert/strict";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import {
  APICallError,
  Output,
  embed,
  generateText,
  jsonSchema,
  stepCountIs,
  streamText,
  tool,
} from "ai";
import {
  BOTH,
  CLOCK,
  ENDLESS,
  FACT,
  IMAGE,
  QUESTION,
  SILENT,
  WEATHER,
  failure,
  fails,
  failsOnce,
  retryAfter,
  seen,
  waited,
} from "./shared.mjs";

const models = ({ bases, key, models }) => {
  const options = { baseURL: bases.text, apiKey: key };
  const openai = createOpenAI(options);
  const compatible = createOpenAICompatible({
    name: "gateway",
    includeUsage: true,
    supportsStructuredOutputs: true,
    ...options,
  });
  return [openai.chat(models.text), openai.responses(models.text), compatible(models.text)];
};

const tools = (called) =>
  Object.fromEntries(
    [WEATHER, CLOCK].map(({ name, description, schema }) => [
      name,
      tool({
        description,
        inputSchema: jsonSchema(schema),
        execute: (input) => {
          called.push([name, input]);
          return "18 degrees";
        },
      }),
    ]),
  );

const asking = (model, prompt, more = {}) => ({ model, prompt, maxRetries: 0, ...more });

export const cases = {
  async plain(target) {
    for (const model of models(target)) {
      const { text, usage } = await generateText(asking(model, QUESTION));
      assert.ok(text.includes(FACT));
      assert.ok(usage.totalTokens > 10);
    }
  },

  async stream(target) {
    for (const model of models(target)) {
      const plain = await generateText(asking(model, QUESTION));
      const stream = streamText(asking(model, QUESTION));
      let said = "";
      for await (const piece of stream.textStream) said += piece;
      assert.equal(said, plain.text);
    }
  },

  async usage(target) {
    for (const model of models(target)) {
      const plain = await generateText(asking(model, QUESTION));
      const { totalTokens } = await streamText(asking(model, QUESTION)).usage;
      assert.equal(totalTokens, plain.usage.totalTokens);
    }
  },

  async responses(target) {
    const model = models(target)[1];
    assert.equal(model.provider, "openai.responses");
    assert.ok((await generateText(asking(model, QUESTION))).text.includes(FACT));
    assert.ok((await streamText(asking(model, QUESTION)).text).includes(FACT));
  },

  async cut(target) {
    const model = models(target)[0];
    for (const where of ["after-headers", "mid-body", "mid-utf8"]) {
      const errors = [];
      const onError = ({ error }) => errors.push(error);
      const stream = streamText(asking(model, fails(`cut=${where}`), { onError }));
      await stream.consumeStream({ onError });
      assert.notEqual(errors.length, 0, where);
    }
  },

  async silence(target) {
    for (const model of models(target)) {
      assert.equal(await streamText(asking(model, SILENT)).text, "One two three.");
    }
  },

  async request_id(target) {
    const [model] = models(target);
    assert.ok((await generateText(asking(model, QUESTION))).response.headers["x-request-id"]);
    const error = await failure(() => generateText(asking(model, fails("status=400"))));
    assert.ok(error.responseHeaders["x-request-id"]);
  },

  async image(target) {
    const image = { type: "image", image: IMAGE, mediaType: "image/png" };
    const content = [{ type: "text", text: QUESTION }, image];
    for (const model of models(target)) {
      const { text } = await generateText({
        model,
        messages: [{ role: "user", content }],
        maxRetries: 0,
      });
      assert.match(text, /^I see 1 image/);
    }
  },

  async structured(target) {
    for (const model of models(target)) {
      const output = Output.object({ schema: jsonSchema(WEATHER.schema) });
      const found = await generateText(asking(model, "How big is Paris?", { output }));
      assert.deepEqual(found.output, { city: "Paris" });
    }
  },

  async wrong_key(target) {
    const [model] = models({ ...target, key: "expired" });
    const error = await failure(() => generateText(asking(model, QUESTION)));
    assert.equal(error.statusCode, 401);
  },

  async unknown_model(target) {
    const nothing = { ...target, models: { ...target.models, text: "nothing" } };
    for (const model of models(nothing)) {
      const error = await failure(() => generateText(asking(model, QUESTION)));
      assert.equal(error.statusCode, 404);
    }
  },

  async retry(target) {
    const [model] = models(target);
    const { text } = await waited(() => generateText({ model, prompt: failsOnce() }));
    assert.ok(text.includes(FACT));
  },

  async cancel(target) {
    const [model] = models(target);
    const abortSignal = AbortSignal.timeout(300);
    const asked = asking(model, fails("latency=30"), { abortSignal });
    const error = await failure(() => generateText(asked));
    assert.match(error.name, /Timeout|Abort/);
  },

  async tools(target) {
    for (const model of models(target)) {
      const called = [];
      const more = { tools: tools(called), stopWhen: stepCountIs(2) };
      const { text } = await generateText(asking(model, BOTH, more));
      assert.deepEqual(called, [
        ["get_weather", { city: "Paris" }],
        ["get_time", { place: "Paris" }],
      ]);
      assert.match(text, /18 degrees/);
    }
  },

  async streamed_tools(target) {
    for (const model of models(target)) {
      const called = [];
      const more = { tools: tools(called), stopWhen: stepCountIs(2) };
      assert.match(await streamText(asking(model, BOTH, more)).text, /18 degrees/);
      assert.equal(called.length, 2);
    }
  },

  async reasoning(target) {
    const compatible = models(target)[2];
    const plain = await generateText(asking(compatible, fails("reasoning=reasoning_content")));
    assert.match(plain.reasoningText, /^The user asks/);
  },

  async embeddings(target) {
    const { bases, key, models } = target;
    const provider = createOpenAI({ baseURL: bases.embedder, apiKey: key });
    const model = provider.embedding(models.embedder);
    const { embedding } = await embed({ model, value: "hello", maxRetries: 0 });
    assert.ok(Math.abs(Math.hypot(...embedding) - 1) < 1e-3);
  },

  async errors(target) {
    for (const model of models(target)) {
      for (const status of [400, 404, 429, 503]) {
        const directive = `status=${status}; retry-after=7`;
        const error = await failure(() => generateText(asking(model, fails(directive))));
        assert.ok(APICallError.isInstance(error), String(error));
        assert.equal(error.statusCode, seen(target, status));
        assert.equal(error.responseHeaders["retry-after"] ?? null, retryAfter(target, status));
        assert.match(error.message, /The simulator was asked for status/);
      }
    }
  },

  async late_error(target) {
    for (const model of models(target)) {
      const errors = [];
      const onError = ({ error }) => errors.push(error);
      const stream = streamText(asking(model, fails("late-error=6"), { onError }));
      for await (const _ of stream.fullStream);
      assert.equal(errors.length, 1, model.provider);
    }
  },

  async timeout(target) {
    for (const model of models(target)) {
      const abortSignal = AbortSignal.timeout(400);
      const asked = asking(model, fails("latency=5"), { abortSignal });
      const error = await failure(() => generateText(asked));
      assert.match(error.name, /Timeout|Abort/);
    }
  },

  async leave(target) {
    const [model] = models(target);
    const controller = new AbortController();
    const asked = asking(model, ENDLESS, { abortSignal: controller.signal });
    for await (const _ of streamText(asked).textStream) {
      controller.abort();
      break;
    }
  },
};
