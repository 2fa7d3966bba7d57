"""The services that are known, one row each: where a row says nothing, the service is as OpenAI is.

Sources were read in their text or in a copy of it; where one was not, the row says by whom it is cited. Nothing of it was tried
against the services. Where two sources differ, or where none says anything, a row has what does no harm: the smaller limit, the
full price, a lost create that nobody can look up.
"""

import msgspec

from .profile import DAY, Facts, Profile, Sign

_MONTH = 30 * DAY

OPENAI = Profile(
    name="openai", title="OpenAI", hosts=("api.openai.com",),
    facts=Facts(
        source="openai/openai-openapi at f85dbe2, 2026-08-21; openai-python 3.57.0; guide Batch, 2026-10-04",
        inputs_kept=_MONTH, results_kept=_MONTH, sellers=("openai",), flex_sellers=("openai",),
    ),
)  # fmt: skip
_AZURE_FACTS = Facts(
    source="Microsoft Learn, Azure OpenAI batch, 2025-08-13; Foundry REST reference, Create batch, 2026-11",
    expires=False, results_kept=14 * DAY, sellers=("azure",), sellers_alike=("openai",),
)  # fmt: skip
AZURE = Profile(
    name="azure", title="Azure OpenAI",
    hosts=("openai.azure.com", "cognitiveservices.azure.com", "services.ai.azure.com"),
    key_header="api-key", key_prefix="", facts=_AZURE_FACTS,
)  # fmt: skip
# A Microsoft Entra token in place of a key; no host chooses this profile.
AZURE_ENTRA = Profile(name="azure-entra", title="Azure OpenAI with Entra", facts=_AZURE_FACTS)
GROQ = Profile(
    name="groq", title="Groq", hosts=("api.groq.com",),
    facts=Facts(
        source="groq-python 1.7.0; console.groq.com/docs/batch, 2026",
        most_bytes=100_000_000, mixed_models=True, windows=("24h", "7d"), windows_between=True, lookup="none",
        paging="none", sellers=("groq",),
    ),
)  # fmt: skip
TOGETHER = Profile(
    name="together", title="Together", hosts=("api.together.ai", "api.together.xyz"), purposes={"batch": "batch-api"},
    upload_path="/files/upload", upload_form={"file_name": "{filename}"},
    facts=Facts(
        source="docs.together.ai, Batch inference, 2026-09; together-python 3.1.1; togethercomputer/openapi 98, 2025-06",
        most_bytes=100_000_000, most_line_bytes=10_000_000, mixed_models=True, lookup="none", paging="none",
        progress="none", after_expiry="nothing", after_cancel="nothing", sellers=("together",),
    ),
)  # fmt: skip
DEEPINFRA = Profile(
    name="deepinfra", title="DeepInfra", hosts=("api.deepinfra.com",),
    facts=Facts(
        source="deepinfra.com/docs, OpenAI-compatible batch, 2026-06", room="jobs", room_of="account", room_size=100,
        price=0.8,
    ),
)  # fmt: skip
PARASAIL = Profile(
    name="parasail", title="Parasail", hosts=("api.saas.parasail.io",), ordinary_url="https://api.parasail.io/v1",
    facts=Facts(
        source="docs.parasail.io, Batch, as a registry of batch services cites it, 2026-11",
        most_bytes=100_000_000, mixed_models=True,
    ),
)  # fmt: skip
DASHSCOPE = Profile(
    name="dashscope", title="DashScope (Alibaba Model Studio)",
    hosts=("dashscope.aliyuncs.com", "dashscope-intl.aliyuncs.com", "dashscope-us.aliyuncs.com"),
    facts=Facts(
        source="Alibaba Cloud Model Studio, Batch inference, 2026-10-12; its Error codes, 2026-06-23",
        windows=("24h", "336h"), windows_between=True, room="jobs", room_of="account", room_size=1_000,
        lookup="none",
        reserved_metadata=("ds_name", "ds_description", "ds_batch_finish_callback"),
        purse_empty=(Sign(400, "Arrearage"),),
    ),
)  # fmt: skip
MOONSHOT = Profile(
    name="moonshot", title="Moonshot (Kimi)", hosts=("api.moonshot.ai", "api.moonshot.cn"),
    facts=Facts(
        source="platform.kimi.ai, Batch API, as a registry of batch services cites it, 2026-11; api-evangelist/kimi-moonshot, "
        "OpenAPI of batches, 2026; forum.moonshot.ai/t/244, 2026",
        most_bytes=100_000_000, windows=("12h", "7d"), windows_between=True,
        purse_empty=(Sign(429, "exceeded_current_quota_error"),),
    ),
)  # fmt: skip
SILICONFLOW = Profile(
    name="siliconflow", title="SiliconFlow", hosts=("api.siliconflow.cn", "api.siliconflow.com"),
    facts=Facts(
        source="docs.siliconflow.cn/cn/userguide/guides/batch, 2026; api-docs.siliconflow.cn, batches, 2026",
        most_lines=5_000, most_bytes=1_000_000_000, windows=("24h", "336h"), windows_between=True, lookup="none",
        results_kept=_MONTH,
    ),
)  # fmt: skip
ZHIPU = Profile(
    name="zhipu", title="Zhipu (BigModel)", hosts=("open.bigmodel.cn",),
    facts=Facts(
        source="docs.bigmodel.cn/cn/faq/batch-api-issues, 2026; docs.bigmodel.cn/cn/api/api-code, 2026",
        most_bytes=100_000_000, most_embedding_lines=10_000, endpoints=("/v4/chat/completions", "/v4/embeddings"),
        room="requests", room_size=10_000, lookup="none", price=0.5,
        key_refused=(Sign(None, "1000"), Sign(None, "1001"), Sign(None, "1002"), Sign(None, "1003"), Sign(None, "1004")),
        purse_empty=(Sign(None, "1113"),),
    ),
)  # fmt: skip
OVH = Profile(
    name="ovh", title="OVHcloud AI Endpoints", hosts=("ai.cloud.ovh.net",),
    facts=Facts(
        source="blog.ovhcloud.com/ovhcloud-ai-endpoints-batch-mode, 2026; AI Endpoints Batch mode, as a registry of batch "
        "services cites it, 2026-11",
        mixed_models=True, windows=("24h", "48h", "72h"), room="jobs", room_of="account", room_size=5,
        results_kept=15 * DAY,
    ),
)  # fmt: skip
QIANFAN = Profile(
    name="qianfan", title="Qianfan (Baidu)", hosts=("qianfan.baidubce.com",),
    facts=Facts(
        source="cloud.baidu.com/doc/qianfan-api, Batch and Error codes, 2026-11-11",
        endpoints=("/v2/chat/completions",), lookup="none",
    ),
)  # fmt: skip
NOVITA = Profile(
    name="novita", title="Novita", hosts=("api.novita.ai",),
    facts=Facts(
        source="novita.ai/docs/guides/llm-batch-api, 2026; its API reference, Create batch, 2026",
        windows=("24h", "48h"), lookup="none", inputs_kept=15 * DAY, results_kept=15 * DAY,
    ),
)  # fmt: skip
PERPLEXITY = Profile(
    name="perplexity", title="Perplexity", hosts=("api.perplexity.ai",), idempotency_header="Idempotency-Key",
    facts=Facts(
        source="docs.perplexity.ai/docs/agent-api/batch and /api-reference/batches-create-post, 2026",
        lookup="token", inputs_kept=_MONTH, results_kept=_MONTH,
    ),
)  # fmt: skip
CEREBRAS = Profile(
    name="cerebras", title="Cerebras", hosts=("api.cerebras.ai",),
    facts=Facts(
        source="inference-docs.cerebras.ai/api-reference/batch/create-batch, 2026 (private preview)", price=0.5
    ),
)  # fmt: skip
DOUBLEWORD = Profile(
    name="doubleword", title="Doubleword", hosts=("api.doubleword.ai",),
    facts=Facts(
        source="docs.doubleword.ai, Batch API, 2026; doublewordai/batch-skill (skills.sh), 2026",
        windows=("1h", "24h"), lookup="none",
    ),
)  # fmt: skip
MIMO = Profile(
    name="mimo", title="Xiaomi MiMo",
    facts=Facts(
        source="platform.xiaomimimo.com, Batch API, as a registry of batch services cites it, 2026-11",
        most_bytes=128_000_000, lookup="none", results_kept=_MONTH,
    ),
)  # fmt: skip
ANTHROPIC = Profile(
    name="anthropic", title="Anthropic", hosts=("api.anthropic.com",), dialect="anthropic", root="/v1",
    key_header="x-api-key", key_prefix="", upload_path="", headers={"anthropic-version": "2023-06-01"},
    facts=Facts(
        source="platform.claude.com docs: batch-processing, errors, rate-limits, 2026-08-21; anthropic-python 2.14.0",
        most_lines=100_000, most_bytes=256_000_000, most_inputs=0, mixed_models=True, endpoints=("/v1/messages",),
        endpoints_alone=True, room="requests", room_of="account", room_size=200_000, lookup="time", progress="end",
        results_kept=29 * DAY, price=0.5,
        sellers=("anthropic",),
        purse_empty=(
            Sign(400, "invalid_request_error", "credit balance is too low"),
            Sign(400, "invalid_request_error", "usage limits"), Sign(None, None, "spend limit"), Sign(402, "billing_error"),
        ),
    ),
)  # fmt: skip
# Claude Platform on AWS: the same API at https://aws-external-anthropic.REGION.api.aws, for the workspace that the header
# `anthropic-workspace-id` names. No host chooses this profile, as it takes a key as well.
ANTHROPIC_AWS = msgspec.structs.replace(
    ANTHROPIC, name="anthropic-aws", title="Claude Platform on AWS", hosts=(), signing="aws-external-anthropic",
    required_headers=("anthropic-workspace-id",),
    facts=msgspec.structs.replace(
        ANTHROPIC.facts, source="platform.claude.com docs: claude-platform-on-aws, 2026-08-21; anthropic-python 2.14.0"
    ),
)  # fmt: skip
# The guide says 1 M requests and results for good, the known limitations less: the smaller numbers hold.
MISTRAL = Profile(
    name="mistral", title="Mistral", hosts=("api.mistral.ai",), dialect="mistral", root="/v1",
    facts=Facts(
        source="mistralai (Python) 3.7.0; docs.mistral.ai: capabilities/batch and resources/known-limitations, "
        "platform-docs-public at 222f4ba, 2026-08-21; its FAQ of batches, 2025",
        most_lines=100_000, most_bytes=512_000_000, most_inputs=0, windows=("24h", "6d"), windows_between=True,
        endpoints=(
            "/v1/chat/completions", "/v1/embeddings", "/v1/fim/completions", "/v1/moderations", "/v1/chat/moderations",
            "/v1/ocr", "/v1/classifications", "/v1/chat/classifications", "/v1/conversations", "/v1/audio/transcriptions",
        ),
        endpoints_alone=True, room="requests", room_size=1_000_000, paging="number", after_expiry="nothing",
        after_cancel="nothing", inputs_kept=_MONTH, results_kept=DAY, price=0.5, sellers=("mistral",),
    ),
)  # fmt: skip
# Amazon Bedrock has batches of two kinds: jobs of its own, for all its models, and OpenAI's batches, for models of OpenAI.
# Both read and write objects of S3 by themselves, and are called with a role. The blog says how many jobs there may be.
_BEDROCK_SOURCE = (
    "botocore 1.44.8, bedrock 2023-04-20; Amazon Bedrock user guide, batch inference, 2026-08; aws.amazon.com/blogs/"
    "machine-learning, Automate Amazon Bedrock batch inference, 2024-10-29"
)
# A signature or a right that is refused, by its type. Words tell of jobs alone, in the dialect: any body may hold them.
_BEDROCK_KEYS = (
    Sign(403, "UnrecognizedClientException"), Sign(403, "InvalidSignatureException"), Sign(403, "ExpiredTokenException"),
    Sign(403, "IncompleteSignatureException"), Sign(403, "MissingAuthenticationTokenException"),
    Sign(400, "AccessDeniedException"), Sign(400, "NotAuthorized"), Sign(400, "IncompleteSignature"),
)  # fmt: skip
BEDROCK = Profile(
    name="bedrock", title="Amazon Bedrock", hosts=("bedrock.*.amazonaws.com",), dialect="bedrock", signing="bedrock",
    ordinary_url="https://bedrock-runtime.*.amazonaws.com", reads_objects=True,
    facts=Facts(
        source=_BEDROCK_SOURCE, least_lines=100, most_bytes=1_000_000_000, most_inputs=0, windows=("24h", "168h"),
        windows_between=True, endpoints=("/model/*/invoke", "/model/*/converse"), endpoints_alone=True,
        room="jobs", room_size=10, lookup="token",
        sellers=("aws",), key_refused=_BEDROCK_KEYS,
    ),
)  # fmt: skip
# An API key of Bedrock in place of the role; no host chooses this profile, nor the other one with a key.
BEDROCK_KEY = msgspec.structs.replace(
    BEDROCK, name="bedrock-key", title="Amazon Bedrock with an API key", hosts=(), signing=None,
    facts=msgspec.structs.replace(BEDROCK.facts, source=f"{_BEDROCK_SOURCE}; its page on API keys, 2026-08"),
)  # fmt: skip
BEDROCK_OPENAI = Profile(
    name="bedrock-openai", title="Amazon Bedrock, OpenAI's batches", hosts=("bedrock-runtime.*.amazonaws.com",),
    dialect="bedrock-openai", root="/openai/v1", signing="bedrock", reads_objects=True,
    facts=msgspec.structs.replace(
        BEDROCK.facts, source=f"{_BEDROCK_SOURCE}; its page on OpenAI's batches, 2026-08", windows=("24h",),
        windows_between=False, endpoints=("/v1/chat/completions",), lookup="metadata",
    ),
)  # fmt: skip
BEDROCK_OPENAI_KEY = msgspec.structs.replace(
    BEDROCK_OPENAI, name="bedrock-openai-key", title="Amazon Bedrock, OpenAI's batches with an API key", hosts=(),
    signing=None,
)  # fmt: skip
# A server or gateway of one's own: what it takes is for its operator to set, and nobody knows its prices.
_OWN = "no document: what any server may do that answers as OpenAI's API reference of 2026-08-21 says"
_MAKERS = ("openai", "anthropic", "google", "mistral", "deepseek", "x-ai")
VLLM = Profile(
    name="vllm", title="vLLM production stack", cancel_method="DELETE", cancel_path="/batches/{id}",
    facts=Facts(
        source="vllm-project/production-stack, src/vllm_router/services/batch_service, 2026",
        most_lines=0, most_bytes=0, most_inputs=0, windows=(), any_url=True,
    ),
)  # fmt: skip
COMPATIBLE = Profile(
    name="compatible", title="Any other service",
    facts=Facts(source=_OWN, most_lines=0, most_bytes=0, most_inputs=0, windows=(), any_url=True, sellers=_MAKERS),
)  # fmt: skip

ROWS = (
    OPENAI, AZURE, AZURE_ENTRA, GROQ, TOGETHER, DEEPINFRA, PARASAIL, DASHSCOPE, MOONSHOT, SILICONFLOW, ZHIPU, OVH,
    QIANFAN, NOVITA, PERPLEXITY, CEREBRAS, DOUBLEWORD, MIMO, ANTHROPIC, ANTHROPIC_AWS, MISTRAL, BEDROCK, BEDROCK_KEY,
    BEDROCK_OPENAI, BEDROCK_OPENAI_KEY, VLLM, COMPATIBLE,
)  # fmt: skip
