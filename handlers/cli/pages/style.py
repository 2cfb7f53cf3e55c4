"""The report's look: light and dark, a phone's width, and paper."""

STYLE = """
:root{--ink:#1c2127;--soft:#5b6672;--paper:#fff;--card:#f4f6f8;--edge:#dde2e7;--blue:#1f6feb;--good:#137333;--bad:#b3261e}
@media (prefers-color-scheme:dark){:root{--ink:#e6e9ec;--soft:#9aa5b1;--paper:#14171a;--card:#1f2429;--edge:#343b42;
--blue:#6cb0ff;--good:#6fce8b;--bad:#ff8a80}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:60rem;margin:0 auto;padding:1.5rem 1rem 4rem}
h1{font-size:1.7rem;margin:0;overflow-wrap:anywhere}h2{font-size:1.2rem;margin:2.2rem 0 .6rem}
p{margin:.4rem 0;color:var(--soft);overflow-wrap:anywhere}p b{color:var(--ink)}
.good,p.good,.card.good b{color:var(--good)}.bad,p.bad,.card.bad b{color:var(--bad)}
.cards{display:grid;grid-template-columns:repeat(3,1fr);gap:.75rem;margin:1.2rem 0}
.card{background:var(--card);border:1px solid var(--edge);border-radius:.6rem;padding:.6rem .8rem}
.card span{display:block;font-size:.8rem;color:var(--soft)}.card b{font-size:1.1rem;overflow-wrap:anywhere}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,22rem),1fr));gap:.75rem}
figure{margin:0;background:var(--card);border:1px solid var(--edge);border-radius:.6rem;padding:.6rem}
figcaption{font-size:.85rem;color:var(--soft)}.none{font-style:italic}
svg{display:block;width:100%;height:auto}svg text{fill:var(--soft);font-size:12px}
.grid{stroke:var(--edge)}.bar{fill:var(--blue)}.area{fill:var(--blue);opacity:.18}
.line{fill:none;stroke:var(--blue);stroke-width:2}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;margin:.4rem 0}
th,td{border-bottom:1px solid var(--edge);padding:.35rem .5rem;text-align:right;vertical-align:top}
th{font-size:.8rem;color:var(--soft);font-weight:600}th:first-child,td:first-child{text-align:left;padding-left:0}
th.t,td.t{text-align:left}td{overflow-wrap:break-word}code{font-size:.9em;overflow-wrap:anywhere}
@media (max-width:34rem){.cards{grid-template-columns:1fr 1fr}.wide thead{display:none}
.wide tr{display:block;padding:.4rem 0;border-bottom:1px solid var(--edge)}
.wide td{display:flex;justify-content:space-between;gap:1rem;border:0;padding:.1rem 0;text-align:right}
.wide td::before{content:attr(data-name);color:var(--soft);font-size:.85rem;flex:none}}
@media print{:root{--ink:#000;--soft:#444;--paper:#fff;--card:#fff;--edge:#bbb;--blue:#1f6feb;--good:#137333;
--bad:#b3261e}
main{max-width:none;padding:0}h2{break-after:avoid}figure,tr,.card{break-inside:avoid}}
"""
