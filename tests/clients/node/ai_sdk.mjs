// The Vercel AI SDK with its providers for OpenAI (chat and responses) and what is compatible.
import assert from "node:assert/strict";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, embed, generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";
import { BOTH, CLOCK, ENDLESS, FACT, QUESTION, WEATHER, failure, fails, retryAfter, seen } from "./shared.mjs";

const models = ({ bases, key, models }) => {
  const options = { baseURL: bases.text, apiKey: key };
  const openai = createOpenAI(options);
  const compatible = createOpenAICompatible({ name: "gateway", includeUsage: true, ...options });
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
      assert.equal((await stream.usage).totalTokens, plain.usage.totalTokens);
    }
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
