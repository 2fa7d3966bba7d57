"""What makes a job of Mistral fail before it runs: each line of its input has a `custom_id` and a `body`, and nothing else."""

from dataclasses import dataclass
from typing import Any, Final

from local.emulator.validator import Problem, Validation, problem

_MEMBERS: Final = {"custom_id": str, "body": dict}


@dataclass
class JobValidation(Validation):
    """Check one input; the model of the job is that of every line that names none."""

    job_model: str | None = None

    def _envelope_problem(self, request: dict[str, Any]) -> Problem | None:
        for member, kind in _MEMBERS.items():
            if not isinstance(request.get(member), kind):
                return problem("invalid_request", f"{member}: Field required", member)
        odd = sorted(set(request) - set(_MEMBERS))
        if odd:
            return problem("invalid_request", f"{odd[0]}: Extra inputs are not permitted", odd[0])
        return self._custom_id_problem(request["custom_id"])

    def _model_problem(self, model: object) -> Problem | None:
        wanted = self.job_model or model
        if model not in (None, wanted):
            return problem("invalid_request", f"The model {model} is not that of the job, {wanted}.", "body.model")
        return super()._model_problem(wanted)
