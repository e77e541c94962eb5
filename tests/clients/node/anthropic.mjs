import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
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

const connect = (target) =>
  new Anthropic({
    baseURL: target.anthropic,
    apiKey: target.key,
    maxRetries: 0,
    timeout: 10_000,
  });

const asking = (target, content, more = {}) => ({
  model: target.models.anthropic,
  max_tokens: 2000,
  messages: [{ role: "user", content }],
  ...more,
});

const create = (target, content, more, options) =>
  connect(target).messages.create(asking(target, content, more), options);

const tools = [WEATHER, CLOCK].map(({ schema, ...tool }) => ({ ...tool, input_schema: schema }));

export const cases = {
  async plain(target) {
    const message = await create(target, QUESTION);
    assert.ok(message.content[0].text.includes(FACT));
    assert.equal(message.stop_reason, "end_turn");
  },

  async silence(target) {
    const message = await connect(target).messages.stream(asking(target, SILENT)).finalMessage();
    assert.equal(message.content[0].text, "One two three.");
  },

  async request_id(target) {
    assert.ok((await create(target, QUESTION))._request_id);
    assert.ok((await failure(() => create(target, fails("status=400")))).requestID);
  },

  async image(target) {
    const source = { type: "base64", media_type: "image/png", data: IMAGE };
    const message = await create(target, [
      { type: "text", text: QUESTION },
      { type: "image", source },
    ]);
    assert.match(message.content[0].text, /^I see 1 image/);
  },

  async structured(target) {
    const format = { type: "json_schema", schema: WEATHER.schema };
    const message = await create(target, "How big is Paris?", { output_config: { format } });
    assert.deepEqual(JSON.parse(message.content[0].text), { city: "Paris" });
  },

  async models(target) {
    const names = [];
    for await (const model of connect(target).models.list()) names.push(model.id);
    assert.ok(names.includes(target.models.anthropic));
  },

  async unknown_model(target) {
    const error = await failure(() => create(target, QUESTION, { model: "nothing" }));
    assert.ok(error instanceof Anthropic.NotFoundError, String(error));
  },

  async retry(target) {
    const message = await waited(() => create(target, failsOnce(), {}, { maxRetries: 2 }));
    assert.equal(message.content.length, 1);
  },

  async cut(target) {
    for (const where of ["after-headers", "mid-body", "mid-utf8"]) {
      const asked = asking(target, fails(`cut=${where}`));
      await failure(() => connect(target).messages.stream(asked).finalMessage());
    }
  },

  async stream(target) {
    const plain = await create(target, QUESTION);
    const message = await connect(target).messages.stream(asking(target, QUESTION)).finalMessage();
    assert.deepEqual(message.content, plain.content);
  },

  async usage(target) {
    const plain = await create(target, QUESTION);
    const message = await connect(target).messages.stream(asking(target, QUESTION)).finalMessage();
    assert.equal(message.usage.output_tokens, plain.usage.output_tokens);
  },

  async tools(target) {
    const message = await create(target, BOTH, { tools });
    assert.deepEqual(
      message.content.map((block) => block.name),
      ["get_weather", "get_time"],
    );
    const results = message.content.map((block) => ({
      type: "tool_result",
      tool_use_id: block.id,
      content: "18 degrees",
    }));
    const messages = [
      { role: "user", content: BOTH },
      { role: "assistant", content: message.content },
      { role: "user", content: results },
    ];
    const reply = await create(target, "", { messages, tools });
    assert.match(reply.content[0].text, /18 degrees/);
  },

  async streamed_tools(target) {
    const stream = connect(target).messages.stream(asking(target, BOTH, { tools }));
    const message = await stream.finalMessage();
    assert.deepEqual(
      message.content.map((block) => block.input),
      [{ city: "Paris" }, { place: "Paris" }],
    );
  },

  async reasoning(target) {
    const thinking = { type: "enabled", budget_tokens: 1024 };
    const asked = asking(target, fails("reasoning=reasoning_content"), { thinking });
    const [first, second] = (await connect(target).messages.stream(asked).finalMessage()).content;
    assert.match(first.thinking, /^The user asks/);
    const ofOpenAI = target.gateway && !target.crossed;
    assert.equal(Boolean(first.signature), !ofOpenAI);
    assert.ok(second.text.includes(FACT));
  },

  async count_tokens(target) {
    const { max_tokens, ...asked } = asking(target, QUESTION);
    assert.ok((await connect(target).messages.countTokens(asked)).input_tokens > 5);
  },

  async errors(target) {
    const classes = {
      400: Anthropic.BadRequestError,
      403: Anthropic.PermissionDeniedError,
      404: Anthropic.NotFoundError,
      429: Anthropic.RateLimitError,
      500: Anthropic.InternalServerError,
      502: Anthropic.InternalServerError,
      503: Anthropic.InternalServerError,
      529: Anthropic.InternalServerError,
    };
    for (const status of [400, 403, 404, 429, 500, 503, 529]) {
      const directive = `status=${status}; retry-after=7`;
      const error = await failure(() => create(target, fails(directive)));
      assert.ok(error instanceof classes[seen(target, status)], `${directive}: ${error}`);
      assert.equal(error.headers.get("retry-after"), retryAfter(target, status));
      assert.ok(error.requestID);
    }
  },

  async wrong_key(target) {
    const error = await failure(() => create({ ...target, key: "expired" }, QUESTION));
    assert.ok(error instanceof Anthropic.AuthenticationError, String(error));
  },

  async late_error(target) {
    const stream = connect(target).messages.stream(asking(target, fails("late-error=4")));
    const error = await failure(() => stream.finalMessage());
    assert.ok(error instanceof Anthropic.APIError, String(error));
  },

  async timeout(target) {
    const error = await failure(() => create(target, fails("latency=5"), {}, { timeout: 400 }));
    assert.ok(error instanceof Anthropic.APIConnectionTimeoutError, String(error));
  },

  async leave(target) {
    for await (const _ of await create(target, ENDLESS, { stream: true })) break;
  },

  async cancel(target) {
    const signal = AbortSignal.timeout(300);
    const error = await failure(() => create(target, fails("latency=30"), {}, { signal }));
    assert.ok(error instanceof Anthropic.APIUserAbortError, String(error));
  },
};
