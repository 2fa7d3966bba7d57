"""How the page looks, and the one small program in it. Nothing of either comes from data."""

import base64
import hashlib
from typing import Final

STYLE: Final = """
:root{color-scheme:light dark;--line:#8884;--good:#2a7d4f;--bad:#b3392f;--bar:#4a78b5}
*{box-sizing:border-box}
body{font:16px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem;overflow-wrap:anywhere}h2{font-size:1.15rem;margin-top:2.5rem}h3{font-size:1rem;margin:.6rem 0 0}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.3rem .8rem .3rem 0;border-bottom:1px solid var(--line)}
td.number,th.number{text-align:right;font-variant-numeric:tabular-nums}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1.5rem;margin:0}
dt{opacity:.7}dd{margin:0;overflow-wrap:anywhere}
.share{fill:var(--bad)}td svg{max-width:12rem}
.good{color:var(--good)}.bad{color:var(--bad)}
svg{width:100%;height:auto}svg path{fill:none;stroke:var(--bar);stroke-width:2}svg text{font-size:12px;fill:currentColor}
svg line{stroke:var(--line)}
details{border-bottom:1px solid var(--line);padding:.3rem 0}summary{cursor:pointer;overflow-wrap:anywhere}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:1rem}@media(max-width:50rem){.pair{grid-template-columns:1fr}}
pre{white-space:pre-wrap;overflow-wrap:anywhere;unicode-bidi:isolate;margin:.3rem 0;padding:.6rem;border:1px solid var(--line)}
bdi{overflow-wrap:anywhere}
form{display:flex;gap:1rem;flex-wrap:wrap;margin:1rem 0}input[type=search]{flex:1;min-width:14rem;padding:.4rem}
"""

SCRIPT: Final = """
const form=document.querySelector('form');
const pairs=[...document.querySelectorAll('details')],count=document.querySelector('output');
function show(){const words=form.words.value.toLowerCase(),failed=form.failed.checked;let shown=0;
for(const pair of pairs){
const hidden=(failed&&!pair.classList.contains('failed'))||!pair.textContent.toLowerCase().includes(words);
pair.hidden=hidden;shown+=!hidden}count.value=shown+' shown'}
if(form){form.addEventListener('input',show);form.addEventListener('submit',e=>e.preventDefault());show()}
"""


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


#: Lets the browser load nothing, and run and show nothing but these two texts.
POLICY: Final = (
    f"default-src 'none'; style-src {_hash(STYLE)}; script-src {_hash(SCRIPT)}; base-uri 'none'; form-action 'none'"
)
