"""autobatcher: single calls that it gathers into a batch."""

import asyncio

from asked import BASE_URL, KEY, LINES, MODEL, messages, tell
from autobatcher import BatchOpenAI


async def main() -> None:
    client = BatchOpenAI(
        api_key=KEY, base_url=BASE_URL, completion_window="24h",
        batch_size=LINES, batch_window_seconds=20, poll_interval_seconds=1,
    )  # fmt: skip
    calls = [client.chat.completions.create(model=MODEL, messages=each) for each in messages()]
    answers = await asyncio.gather(*calls)
    tell(sum("You asked" in answer.choices[0].message.content for answer in answers))
    await client.close()


asyncio.run(main())
