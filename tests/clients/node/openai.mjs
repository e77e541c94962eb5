import assert from "node:assert/strict";
import OpenAI, { toFile } from "openai";
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
    assert.equal(response.status, 200);
  },

  async stream(target) {
    const plain = await create(target, QUESTION);
    let said = "";
    for await (const chunk of await create(target, QUESTION, { stream: true })) {
      said += chunk.choices[0].delta.content ?? "";
    }
    assert.equal(said, plain.choices[0].message.content);
  },

  async silence(target) {
    let said = "";
    for await (const chunk of await create(target, SILENT, { stream: true })) {
      said += chunk.choices[0].delta.content ?? "";
    }
    assert.equal(said, "One two three.");
  },

  async usage(target) {
    for (const include_usage of [true, false]) {
      const more = { stream: true, stream_options: { include_usage } };
      let usage = null;
      for await (const chunk of await create(target, QUESTION, more)) usage = chunk.usage ?? usage;
      assert.equal(usage !== null, include_usage);
    }
  },

  async request_id(target) {
    const { data, request_id } = await connect(target)
      .chat.completions.create(asking(target, QUESTION))
      .withResponse();
    assert.ok(request_id);
    assert.equal(data._request_id, request_id);
    assert.ok((await failure(() => create(target, fails("status=400")))).requestID);
  },

  async image(target) {
    const image = { type: "image_url", image_url: { url: `data:image/png;base64,${IMAGE}` } };
    const reply = await create(target, [{ type: "text", text: QUESTION }, image]);
    assert.match(reply.choices[0].message.content, /^I see 1 image/);
  },

  async reasoning(target) {
    const fields = target.crossed ? ["reasoning_content"] : ["reasoning", "reasoning_content"];
    for (const field of fields) {
      const reply = await create(target, fails(`reasoning=${field}`));
      assert.match(reply.choices[0].message[field], /^The user asks/);
    }
  },

  async completions(target) {
    const fields = { model: target.models.text, prompt: QUESTION, max_tokens: 40 };
    const plain = await connect(target).completions.create(fields);
    let said = "";
    const stream = await connect(target).completions.create({ ...fields, stream: true });
    for await (const chunk of stream) said += chunk.choices[0].text;
    assert.equal(said, plain.choices[0].text);
  },

  async models(target) {
    const names = [];
    for await (const model of connect(target).models.list()) names.push(model.id);
    assert.ok(names.includes(target.models.text));
  },

  async unknown_model(target) {
    const error = await failure(() => create(target, QUESTION, { model: "nothing" }));
    assert.ok(error instanceof OpenAI.NotFoundError, String(error));
  },

  async retry(target) {
    const reply = await waited(() => create(target, failsOnce(), {}, { maxRetries: 2 }));
    assert.equal(reply.choices.length, 1);
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
      529: OpenAI.InternalServerError,
    };
    for (const status of [400, 403, 404, 409, 422, 429, 500, 503, 529]) {
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
      for await (const _ of await create(target, fails("late-error=5"), { stream: true }));
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
