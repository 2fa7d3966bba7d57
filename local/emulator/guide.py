"""The text of `python -m local.emulator --help`: what the emulator is, and how failures are ordered."""

GUIDE = """\
A stand-in for a batch provider: OpenAI's Files, Uploads and Batches APIs, Anthropic's Message Batches, Amazon Bedrock's
jobs, and the habits of Together and Mistral, on 127.0.0.1. Bedrock is at the root: http://127.0.0.1:PORT, without /v1.

When it is ready it prints one line on stdout, everything else on stderr:
  {"provider_url": "http://127.0.0.1:PORT/v1", "api_key": "..."}
It ends on SIGTERM, on Ctrl-C, and when the process that started it is gone.
Answers are made up from the request: the same request gets the same answer. Output lines come shuffled.

Doors of its own (no key needed), beside /v1:
  POST /_emulator/scenario   follow another scenario from now on; counters start at zero, a batch's ordinal too;
                             command-line settings stay
  GET  /_emulator/scenario   the scenario being played
  POST /_emulator/clock      {"seconds": 86400} moves the clock; batches then expire, files too
  GET  /_emulator/calls      every call: time, operation, ids, status (null: no answer), faulted; ?operation=createBatch
  GET  /_emulator/ledger     every batch, with the custom_ids answered 2xx (billed); ?lines=false leaves those out;
                             "direct" are the requests answered 2xx at once, outside of a batch (billed too);
                             "usd" is the bill of each and of all, by --prices
  POST /_emulator/aws        {"endpoint_url": "http://127.0.0.1:4566"}: where Bedrock's S3 and its event bus are, as --aws;
                             make run and make up tell it themselves

SCENARIO: a JSON object; every member may be left out, an unknown one is refused.
  "seed": 0                  order of output lines, and who is hit by a share
  "seconds_per_batch": 1.5   a batch's whole life, on the emulator's clock
  "api_key": "new"           the only key accepted from now on: a rotated secret (never shown again)
  "models": ["m"]            the only models known (default: any)
  "enqueued_token_limits": {"gpt-4o-mini": 2000000, "*": 90000}   prompt tokens of live batches, per model
  "creates_per_hour": 2000, "max_file_bytes": 209715200, "max_lines": 50000
  "too_large_by_gateway": false   answer a larger file with 413 and an HTML page, not with the API's 400
  "seconds_per_file": 0      an upload is `pending` so long, and a batch of it refused; then it has the "file_status"
                             "processed", or what is ordered: "error" refuses each batch of it
  "statuses": {"completed": "SUCCESS", "in_progress": "running"}   other words for the statuses of batches
  "service": "together"      whose habits the emulator has: openai; together with its own upload, lists, words and lines; or
                             mistral with jobs at /v1/batch/jobs
  "pending_requests": 1000000   requests of all running jobs of Mistral together (default: no limit)
  "ranges": false            whether downloads honour the Range header
  "answer_bytes": 0          fill each text answer up to this size
  "embedding_dimensions": 64 size of an embedding unless the request names one
  "flex": {...}              requests sent on their own that ask for "service_tier": "flex": "no_room": "1-3" (or a
                             "share" of them) is a 429 that costs nothing, "seconds": 20 makes them slow,
                             "served_as": "default" answers, and bills, without flex; "sold": false is a 400
  "messages": {...}          Anthropic's message batches: "most_requests": 100000, "most_bytes": 268435456,
                             "queued_requests": 200000 of all running batches together (default: no limit),
                             "reshuffled": true gives results in another order each time that they are read
  "bedrock": {...}           Amazon Bedrock: "least_records": 100 (fewer fail a job), "jobs_at_once": 10 of one model (default:
                             no limit), "counts_lag": 60 shows counts so many seconds late
  "calls": [...]             failures of API calls     (first rule that hits acts)
  "batches": [...]           failures of batches       (first rule that fits acts)
  "lines": [...]             failures of lines, in every batch

A range is 3, "2-4", "3-" or "1,4-5", counted from 1. A share is 0 to 1.

CALLS   {"operation": "createBatch", "nth": "1-2", "do": {...}}
  operation  createFile listFiles retrieveFile deleteFile downloadFile createBatch listBatches retrieveBatch
             cancelBatch createUpload addUploadPart completeUpload cancelUpload,
             and those that answer one request at once: createResponse createChatCompletion createEmbedding
             createCompletion createModeration createImage; of Mistral's API createBatchJob listBatchJobs retrieveBatchJob
             cancelBatchJob createFimCompletion; of Anthropic's API createMessageBatch listMessageBatches
             retrieveMessageBatch cancelMessageBatch deleteMessageBatch retrieveMessageBatchResults createMessage; of
             Bedrock createModelInvocationJob listModelInvocationJobs getModelInvocationJob stopModelInvocationJob
             invokeModel converse (its OpenAI-shaped batches: as OpenAI's);
             * is the default and means any
  nth        which of the calls this rule matches, counted by the rule; each_batch counts apart for each batch
  batch      only calls about the batches with these ordinals (1: the first made under this
             scenario; createBatch: the one it would make)
  filename   only calls about files so named: "*_output.jsonl"
  share      chance
  do
    delay: 2                       wait before doing anything
    status, error, headers, body   answer this instead; without a body, the API's error envelope:
                                   {"status": 429, "headers": {"retry-after": "1"}, "error": {"code": "slow_down"}}
                                   {"status": 200, "body": "{broken"} sends text as it is
    html: true                     a gateway's HTML page instead
    connection: "reset"            reset (RST), "close" (no answer) or "stall" (open and silent) instead of an answer
    after_effect: true             do what was asked first, then fail: the answer that got lost
    early: true                    fail before the request's body is read
    set, unset, wrap               change the answer: {"set": {"status": "odd"}, "unset": ["usage"], "wrap": "job"}
    says: "cut_off"                of a request answered at once: what is wrong with its answer, as for lines
    hide_newest: 1                 leave the newest out of a list: a replica that lags
    cut: {"at": 0.5}               send a body only so far (share, or bytes from 1); "framing": "length" (its header
                                   promises more), "chunked" or "close"; "reset": true ends it with RST
    dribble: {"bytes": 10, "seconds": 0.1}     send slowly
    gzip: true                     Content-Encoding: gzip

BATCHES   {"batch": "2", "do": {...}}
  batch      ordinals; nth counts only the batches that fit; model, endpoint, metadata: {"k": "v"} must be equal
  do
    fail: "token_limit_exceeded"   or "file_not_found", any other code, or a list of codes and whole errors:
                                   [{"code": "invalid_json_line", "message": "...", "param": null, "line": 3}]
    expire_after: 0.4              expires after this share of its lines
    loses_answers: true            its answers are gone if it expires or is cancelled, and billed all the same
    stuck: "in_progress"           stays in validating, in_progress, finalizing or cancelling (until it expires)
    seconds: 10                    its own pace
    empty_file_ids: true           "" where null belongs
    no_output_file: true           completed, but output_file_id never shows; no_error_file: true   there is no .err
    cancel_finishes: true          a cancel loses the race: the batch completes
    webhook: "lost"                or "twice", "forged", "late"; of a job of Bedrock its events: "lost" or "twice"
    lines: [...]                   as below, for this batch

LINES   {"custom_id": "a-*", "do": {...}}
  custom_id  one pattern or a list; lines: a range of line numbers; share; times: 1 hits a custom_id only once, over
             all batches, so that a second try succeeds
  do
    status: 429, code, message, body    the model endpoint's answer (2xx goes to the output file, 0 is possible)
    says: "cut_off"                     or "filtered", "refused", "nothing", "broken_json", "broken_schema": a success, with its
                                        usage, that cannot be used
    error: "request_timeout"            no answer: an error object, as for batch_expired; with a status, both; of a message
                                        batch the type of the result: "expired", "canceled" or a word of no meaning
    missing, duplicate, malformed, garbled, unknown_custom_id, nameless, bare: true    what the line looks like in the file: not
                                        there, there twice, cut in half, with a byte that is not UTF-8, joined by a
                                        stranger, without its custom_id, neither response nor error
"""
