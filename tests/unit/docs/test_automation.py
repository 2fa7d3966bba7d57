"""What the page on automation and the notebook show is what other tests run."""

import json
import re

from tests.unit.docs.pages import ROOT

DAG = (ROOT / "docs/airflow_dag.py").read_text(encoding="utf-8")
NOTEBOOK = json.loads((ROOT / "docs/notebook.ipynb").read_text(encoding="utf-8"))


def test_the_page_shows_the_dag_that_make_compat_runs() -> None:
    page = (ROOT / "docs/automation.md").read_text(encoding="utf-8")
    assert re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL) == [DAG]
    assert "airflow_dag" in (ROOT / "tests/compat/with_airflow.py").read_text(encoding="utf-8")


def test_the_notebook_holds_no_outputs() -> None:
    cells = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
    assert [(cell["outputs"], cell["execution_count"]) for cell in cells] == [([], None)] * len(cells)
