"""The one place that says what a stored row holds. Version 1.

Seven tables, each Hive-partitioned by the UTC date of its time column. Files of an older version
stay readable: a column is only ever added, and reads as null where a file lacks it. Times are
microseconds since the epoch, UTC; durations are milliseconds; money is in the currency of the
manifest's prices; probabilities and scores lie in 0..1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import pyarrow as pa

VERSION: Final = 1
Table = Literal["requests", "scores", "weights", "feedback", "keys", "audit", "webhooks"]

_TIME = pa.timestamp("us", tz="UTC")

VERDICT = pa.struct(
    [
        ("policy", pa.string()),
        ("check", pa.string()),
        ("rule", pa.string()),
        ("stage", pa.string()),  # input, output, tool
        ("action", pa.string()),  # block, redact, flag
        ("mode", pa.string()),  # enforce, observe
        ("score", pa.float64()),
        ("start", pa.int32()),  # characters into the text, as the caller sent it
        ("end", pa.int32()),
    ]
)
CANDIDATE = pa.struct(
    [
        ("model", pa.string()),
        ("probability", pa.float64()),
        ("score", pa.float64()),
        ("score_low", pa.float64()),
        ("score_high", pa.float64()),
        ("cost", pa.float64()),  # expected, of this request; null without prices
        ("excluded", pa.string()),  # why it was not eligible, else null
    ]
)
ATTEMPT = pa.struct(
    [
        ("model", pa.string()),
        ("status", pa.int16()),  # null when no status line came
        ("latency_ms", pa.float64()),
        ("error", pa.string()),  # an error code of ai_gateway.errors, else null
        ("endpoint", pa.string()),  # host and path of the endpoint; null when none was asked
        ("waited_ms", pa.float64()),  # before it: in the model's queue, and between two tries
    ]
)

REQUESTS = pa.schema(
    [
        ("schema_version", pa.int16()),
        ("request_id", pa.string()),
        ("client_request_id", pa.string()),
        ("received_at", _TIME),
        ("route", pa.string()),
        (
            "surface",
            pa.string(),
        ),  # inference, chat, judge, shadow, ...; null when refused before
        ("method", pa.string()),
        ("path", pa.string()),
        ("tenant", pa.string()),
        ("key_id", pa.string()),
        (
            "privacy",
            pa.string(),
        ),  # what input, request and output hold: full, redacted, hashed, none
        ("input", pa.string()),  # the text that the guardrails saw
        ("request", pa.string()),  # the whole parsed body as JSON
        ("output", pa.string()),  # the model's text, also where a policy kept it back
        ("response_digest", pa.string()),  # sha256 of the body that the caller got
        ("policies", pa.list_(pa.string())),
        ("verdicts", pa.list_(VERDICT)),
        ("manifest_hash", pa.string()),
        ("policies_hash", pa.string()),
        ("model_requested", pa.string()),
        (
            "selection",
            pa.string(),
        ),  # policy, pinned, cache, guardrail, shadow; null if refused before
        ("routing", pa.string()),  # highest-score, weighted
        ("explore", pa.float64()),
        ("weights_id", pa.string()),  # the publication that the scores came from; null at the start
        ("candidates", pa.list_(CANDIDATE)),
        ("chosen", pa.string()),
        ("propensity", pa.float64()),  # probability of ``chosen`` among the eligible
        ("seed", pa.int64()),  # seed / 2**53 is the draw that ``chosen`` follows from
        ("served", pa.string()),  # who answered, or had the input when nobody waited any longer
        ("attempts", pa.list_(ATTEMPT)),
        ("input_tokens", pa.int64()),
        ("output_tokens", pa.int64()),
        ("cached_tokens", pa.int64()),
        ("reasoning_tokens", pa.int64()),
        ("usage", pa.string()),  # the upstream's own, as JSON; ``estimated`` in it marks a guess
        ("price", pa.string()),  # what ``cost`` follows from, as JSON; null without one
        ("cost", pa.float64()),  # 0 where a cache answered
        ("time_to_first_token_ms", pa.float64()),
        ("latency_ms", pa.float64()),
        ("overhead_ms", pa.float64()),  # latency less the time spent waiting on upstreams
        ("cache", pa.string()),  # hit, miss; off where no answer was looked for
        ("similarity", pa.float64()),  # of a hit: cosine of the two questions, 1 for the same
        ("answered_before", pa.string()),  # of a hit: the request whose answer it is
        ("saved", pa.float64()),  # of a hit: what that request cost
        ("finish_reason", pa.string()),
        ("status", pa.int16()),
        ("error", pa.string()),  # an error code of ai_gateway.errors, else null
        ("simulated", pa.bool_()),
        ("gateway_version", pa.string()),
        ("shadow_of", pa.string()),  # the request that a shadow repeats; null for all others
        ("leaked", pa.int64()),  # characters that had left when a policy ended a stream, else null
        ("team", pa.string()),  # the caller's; null where he has none
        ("segment", pa.string()),  # the write-ahead segment that it came in, see following.py
    ]
)
SCORES = pa.schema(
    [
        ("schema_version", pa.int16()),
        ("score_id", pa.string()),  # request, prompt and attempt: the same twice is the same row
        ("request_id", pa.string()),
        ("requested_at", _TIME),  # when the judged request was received
        ("judged_at", _TIME),
        ("tick_id", pa.string()),
        ("tenant", pa.string()),
        ("model", pa.string()),  # whose answer was judged
        ("judge", pa.string()),  # the judging model
        ("prompt", pa.string()),  # NAME.vN of judge_prompts/
        ("attempt", pa.int16()),
        ("outcome", pa.string()),  # scored, failed (tried again later), given_up
        ("score", pa.float64()),  # null unless scored
        ("reason", pa.string()),
        ("error", pa.string()),
        ("retry_at", _TIME),  # null unless failed
        ("selection_probability", pa.float64()),  # with which this answer was picked for judging
        ("judge_request_id", pa.string()),  # the judge call's own decision record
    ]
)
WEIGHTS = pa.schema(
    [
        ("schema_version", pa.int16()),
        ("weight_id", pa.string()),  # publication and model
        ("weights_id", pa.string()),  # the publication: all models' rows of one tick share it
        ("published_at", _TIME),
        ("tick_id", pa.string()),
        ("model", pa.string()),
        ("score", pa.float64()),
        ("score_low", pa.float64()),
        ("score_high", pa.float64()),
        ("samples", pa.int64()),  # judged answers behind the score
    ]
)
FEEDBACK = pa.schema(
    [
        ("schema_version", pa.int16()),
        ("feedback_id", pa.string()),
        ("created_at", _TIME),
        ("request_id", pa.string()),
        ("tenant", pa.string()),
        ("rater", pa.string()),
        ("score", pa.float64()),
        ("thumb", pa.string()),
        ("preferred", pa.string()),
        ("correction", pa.string()),
        ("guardrail", pa.string()),
        ("rule", pa.string()),
        ("selection_probability", pa.float64()),
    ]
)

#: What became of an issued key. Every row holds all of the key but its text.
KEYS = pa.schema(
    [
        ("schema_version", pa.int16()),
        ("event_id", pa.string()),
        ("at", _TIME),
        ("event", pa.string()),  # issued, rotated, revoked
        ("by", pa.string()),  # the id of the caller who did it
        ("key_id", pa.string()),
        ("prefix", pa.string()),  # what is shown of its text
        ("digest", pa.string()),  # SHA-256 of all of its text, in hex
        ("name", pa.string()),
        ("owner", pa.string()),
        ("team", pa.string()),
        ("tenant", pa.string()),
        ("scopes", pa.list_(pa.string())),
        ("routes", pa.list_(pa.string())),  # ``*`` is everything, null is nothing
        ("models", pa.list_(pa.string())),  # the same
        ("created_at", _TIME),
        ("expires_at", _TIME),  # null: never
        ("created_by", pa.string()),
        ("parent", pa.string()),  # the key that it may not exceed, and is revoked with
        ("family", pa.string()),  # the first of the keys that followed one another by rotation
        ("revoked_at", _TIME),
        ("retire_at", _TIME),  # when a rotated one ends
        ("replaced_by", pa.string()),  # the key that follows it
    ]
)

#: Every change of what the gateway goes by; the rows of one writer are a chain of hashes.
AUDIT = pa.schema(
    [
        ("schema_version", pa.int16()),
        ("audit_id", pa.string()),  # writer and number
        ("at", _TIME),
        ("writer", pa.string()),  # of one process, drawn at its start
        ("number", pa.int64()),  # 0, 1, 2, ... of this writer
        ("who", pa.string()),  # the caller's id; ``gateway`` for what nobody asked for
        ("scheme", pa.string()),  # how he was known
        ("tenant", pa.string()),
        ("action", pa.string()),  # such as route.create
        ("object", pa.string()),
        ("before", pa.string()),  # as JSON, secrets masked; null where there was nothing
        ("after", pa.string()),
        ("before_digest", pa.string()),  # SHA-256 of the whole of it, in hex
        ("after_digest", pa.string()),
        ("outcome", pa.string()),  # done, or the code of the error
        ("request_id", pa.string()),
        ("previous", pa.string()),  # the hash of the writer's row before; empty for its first
        ("hash", pa.string()),  # SHA-256 of all other columns, see ai_gateway/control/audit.py
    ]
)

#: Events that no receiver took, and what became of them.
WEBHOOKS = pa.schema(
    [
        ("schema_version", pa.int16()),
        ("letter_id", pa.string()),  # event, callback, state and time
        ("at", _TIME),
        ("state", pa.string()),  # dead, resent
        ("created_at", _TIME),  # of the event
        ("event_id", pa.string()),
        ("callback", pa.string()),  # the route's name whose callback it is, or ``(bundle)``
        ("type", pa.string()),  # such as request.completed
        ("route", pa.string()),  # null where it is of no request
        ("tenant", pa.string()),  # the same
        ("request_id", pa.string()),  # the same
        ("reason", pa.string()),  # status, an error code, queue_full, no_callback; of a dead one
        ("status", pa.int16()),  # of the last answer, if one came
        ("attempts", pa.int32()),
        ("body", pa.string()),  # the event as it is sent
    ]
)


@dataclass(frozen=True, slots=True)
class TableSpec:
    """A table's columns, the column that identifies a row, and the one that dates it."""

    schema: pa.Schema
    key: str
    time: str


TABLES: Final[dict[Table, TableSpec]] = {
    "requests": TableSpec(REQUESTS, "request_id", "received_at"),
    "scores": TableSpec(SCORES, "score_id", "judged_at"),
    "weights": TableSpec(WEIGHTS, "weight_id", "published_at"),
    "feedback": TableSpec(FEEDBACK, "feedback_id", "created_at"),
    "keys": TableSpec(KEYS, "event_id", "at"),
    "audit": TableSpec(AUDIT, "audit_id", "at"),
    "webhooks": TableSpec(WEBHOOKS, "letter_id", "at"),
}
