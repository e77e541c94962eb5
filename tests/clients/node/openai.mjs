import assert from "node:assert/strict";
import OpenAI, { toFile } from "openai";
import { BOTH, CLOCK, ENDLESS, FACT, QUESTION, WEATHER, failure, fails, retryAfter, seen } from "./shared.mjs";

const connect = (target, kind = "text") =>
  new OpenAI({ baseURL: target.bases[kind], apiKey: target.key, maxRetries: 0, timeout: 10_000 });

const asking = (target, content, more = {}) => ({
  model: target.models.text,
  messages: [{ role: "user", content }],
  ...more,
});

const tools = [WEATHER, CLOCK].map(({ schema, ...tool }) => ({
  type: "function",
  function: { ...tool, parameters: schema },
}));

const create = (target, content, more, options) =>
  connect(target).chat.completions.create(asking(target, content, more), options);

export const cases = {
  async plain(target) {
    const { data, response } = await connect(target)
      .chat.completions.create(asking(target, QUESTION))
      .withResponse();
    assert.ok(data.choices[0].message.content.includes(FACT));
    assert.ok(data.usage.total_tokens > 10);
    assert.ok(response.headers.get("x-request-id"));
  },

  async stream(target) {
    const plain = await create(target, QUESTION);
    const stream = await create(target, QUESTION, {
      stream: true,
      stream_options: { include_usage: true },
    });
    let [said, usage] = ["", null];
    for await (const chunk of stream) {
      said += chunk.choices[0]?.delta.content ?? "";
      usage = chunk.usage ?? usage;
    }
    assert.equal(said, plain.choices[0].message.content);
    assert.equal(usage.completion_tokens, plain.usage.completion_tokens);
  },

  async traps(target) {
    const traps = ["ping-comments", "usage-chunk", "empty-choices", "crlf", "split=5", "gzip"];
    for (const trap of traps) {
      let said = "";
      for await (const chunk of await create(target, fails(trap), { stream: true })) {
        said += chunk.choices[0]?.delta?.content ?? "";
      }
      assert.ok(said.includes(FACT), trap);
    }
  },

  async tools(target) {
    const { message } = (await create(target, BOTH, { tools })).choices[0];
    assert.deepEqual(
      message.tool_calls.map((call) => call.function.name),
      ["get_weather", "get_time"],
    );
    const results = message.tool_calls.map((call, index) => ({
      role: "tool",
      tool_call_id: call.id,
      content: `result ${index}`,
    }));
    const messages = [{ role: "user", content: BOTH }, message, ...results];
    const reply = await connect(target).chat.completions.create(
      asking(target, "", { messages, tools }),
    );
    assert.match(reply.choices[0].message.content, /result 0.*result 1/);
  },

  async streamed_tools(target) {
    const stream = connect(target).chat.completions.stream(asking(target, BOTH, { tools }));
    const { message } = (await stream.finalChatCompletion()).choices[0];
    assert.deepEqual(JSON.parse(message.tool_calls[1].function.arguments), { place: "Paris" });
  },

  async structured(target) {
    const json_schema = { name: "city", strict: true, schema: WEATHER.schema };
    const reply = await create(target, "How big is Paris?", {
      response_format: { type: "json_schema", json_schema },
    });
    assert.deepEqual(JSON.parse(reply.choices[0].message.content), { city: "Paris" });
  },

  async responses(target) {
    const fields = { model: target.models.text, input: QUESTION };
    const plain = await connect(target).responses.create(fields);
    assert.ok(plain.output_text.includes(FACT));
    const streamed = await connect(target).responses.stream(fields).finalResponse();
    assert.equal(streamed.output_text, plain.output_text);
  },

  async embeddings(target) {
    const reply = await connect(target, "embedder").embeddings.create({
      model: target.models.embedder,
      input: ["a b", "b a"],
    });
    assert.deepEqual(reply.data[0].embedding, reply.data[1].embedding);
    assert.ok(Math.abs(Math.hypot(...reply.data[0].embedding) - 1) < 1e-3);
  },

  async media(target) {
    const client = connect(target, "media");
    const { media: model } = target.models;
    const sound = await client.audio.speech.create({ model, voice: "alloy", input: "hello" });
    const bytes = Buffer.from(await sound.arrayBuffer());
    assert.equal(bytes.subarray(0, 4).toString(), "RIFF");
    const file = await toFile(bytes, "a.wav");
    const { text } = await client.audio.transcriptions.create({ model, file });
    assert.equal(text, `The file a.wav has ${bytes.length} bytes.`);
  },

  async errors(target) {
    const classes = {
      400: OpenAI.BadRequestError,
      403: OpenAI.PermissionDeniedError,
      404: OpenAI.NotFoundError,
      409: OpenAI.ConflictError,
      422: OpenAI.UnprocessableEntityError,
      429: OpenAI.RateLimitError,
      500: OpenAI.InternalServerError,
      502: OpenAI.InternalServerError,
      503: OpenAI.InternalServerError,
    };
    for (const status of [400, 403, 404, 409, 422, 429, 500, 503]) {
      for (const body of ["", "-flat", "-text"]) {
        const directive = `status=${status}${body}; retry-after=7`;
        const error = await failure(() => create(target, fails(directive)));
        assert.ok(error instanceof classes[seen(target, status)], `${directive}: ${error}`);
        assert.equal(error.headers.get("retry-after"), retryAfter(target, status));
        assert.ok(error.requestID);
      }
    }
  },

  async wrong_key(target) {
    const error = await failure(() => create({ ...target, key: "expired" }, QUESTION));
    assert.ok(error instanceof OpenAI.AuthenticationError, String(error));
  },

  async late_error(target) {
    const error = await failure(async () => {
      for await (const _ of await create(target, fails("late-error=3"), { stream: true }));
    });
    assert.ok(error instanceof OpenAI.APIError, String(error));
  },

  async cut(target) {
    for (const where of ["after-headers", "mid-body", "mid-utf8"]) {
      await failure(async () => {
        for await (const _ of await create(target, fails(`cut=${where}`), { stream: true }));
      });
    }
  },

  async timeout(target) {
    const error = await failure(() => create(target, fails("latency=5"), {}, { timeout: 400 }));
    assert.ok(error instanceof OpenAI.APIConnectionTimeoutError, String(error));
  },

  async leave(target) {
    for await (const _ of await create(target, ENDLESS, { stream: true })) break;
  },

  async cancel(target) {
    const signal = AbortSignal.timeout(300);
    const error = await failure(() => create(target, fails("latency=30"), {}, { signal }));
    assert.ok(error instanceof OpenAI.APIUserAbortError, String(error));
  },
};
