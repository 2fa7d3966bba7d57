"""pydantic-ai: the batch methods of its model for the Responses API."""

import asyncio

from asked import MODEL, prompts, tell
from pydantic_ai.messages import ModelRequest
from pydantic_ai.models.batch import BatchRequest
from pydantic_ai.models.openai import OpenAIResponsesModel


async def main() -> None:
    model = OpenAIResponsesModel(MODEL)
    asked = {
        f"r{number}": BatchRequest(custom_id=f"r{number}", messages=[ModelRequest.user_text_prompt(prompt)])
        for number, prompt in enumerate(prompts())
    }
    batch = await model.batch_create([await model.batch_encode(each) for each in asked.values()])
    for _ in range(500):
        if batch.status == "ended":
            break
        await asyncio.sleep(1)
        batch = await model.batch_status(batch)
    results = await model.batch_results(batch)
    answers = [model.batch_decode(result, asked[result.custom_id]) for result in results]
    tell(sum("You asked" in (answer.text or "") for answer in answers))


asyncio.run(main())
