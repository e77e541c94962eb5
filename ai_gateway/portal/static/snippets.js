// Code that works as it is copied: the official SDKs where a chat route is given, else plain HTTP.

const PLACEHOLDER = "YOUR_KEY";
const QUESTION = "What is a Finite State Machine?";
const CHAT = "/chat/completions";
const INFERENCE = "/inference";

const openai = {
  python: (base, key) => `from openai import OpenAI  # pip install openai

client = OpenAI(
    base_url="${base}",
    api_key="${key}",
)
answer = client.chat.completions.create(
    model="auto",
    messages=[{"role": "user", "content": "${QUESTION}"}],
)
print(answer.choices[0].message.content)
`,
  node: (base, key) => `import OpenAI from "openai"; // npm install openai

const client = new OpenAI({
  baseURL: "${base}",
  apiKey: "${key}",
});
const answer = await client.chat.completions.create({
  model: "auto",
  messages: [{ role: "user", content: "${QUESTION}" }],
});
console.log(answer.choices[0].message.content);
`,
  curl: (base, key) => `curl ${base}${CHAT} \\
  -H "Authorization: Bearer ${key}" \\
  -H "Content-Type: application/json" \\
  -d '{"model": "auto", "messages": [{"role": "user", "content": "${QUESTION}"}]}'
`,
};

const plain = {
  python: (url, key) => `import json
import urllib.request

request = urllib.request.Request(
    "${url}",
    data=json.dumps({"inputs": "${QUESTION}"}).encode(),
    headers={"Authorization": "Bearer ${key}", "Content-Type": "application/json"},
)
with urllib.request.urlopen(request) as answer:
    print(json.load(answer)["output"])
`,
  node: (url, key) => `const answer = await fetch("${url}", {
  method: "POST",
  headers: { authorization: "Bearer ${key}", "content-type": "application/json" },
  body: JSON.stringify({ inputs: "${QUESTION}" }),
});
console.log((await answer.json()).output);
`,
  curl: (url, key) => `curl ${url} \\
  -H "Authorization: Bearer ${key}" \\
  -H "Content-Type: application/json" \\
  -d '{"inputs": "${QUESTION}"}'
`,
};

export function snippet(language, routes, key) {
  const text = key ?? PLACEHOLDER;
  const at = (end) => routes.find((route) => route.path.endsWith(end));
  const chat = at(CHAT);
  if (chat) return openai[language](location.origin + chat.path.slice(0, -CHAT.length), text);
  const inference = at(INFERENCE);
  return inference ? plain[language](location.origin + inference.path, text) : null;
}

export function note(key) {
  return key ? "This holds your new key. Do not put it under version control."
    : `Put one of your keys in place of ${PLACEHOLDER}.`;
}
