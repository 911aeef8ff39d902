// What the console does beyond links and forms. Every page is complete without it, and no key changes anything.
"use strict";
(() => {
  const $ = (s, r = document) => r.querySelector(s), $$ = (s, r = document) => [...r.querySelectorAll(s)];
  const say = (text) => { const t = $("#toast"); if (!t) return; t.textContent = text; t.hidden = false; clearTimeout(say.t); say.t = setTimeout(() => { t.hidden = true; }, 1800); };
  const two = (n) => String(n).padStart(2, "0");
  const utc = (d) => `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}:${two(d.getUTCSeconds())}`;

  // ids copy on click; the whole id is in the button's value
  document.addEventListener("click", async (e) => {
    const b = e.target.closest("button.copy");
    if (!b) return;
    try { await navigator.clipboard.writeText(b.value); } catch { return; }
    b.classList.add("done"); say("Copied " + b.value); setTimeout(() => b.classList.remove("done"), 1200);
  });

  // keyboard
  const places = { o: "/console/", r: "/console/reviews", s: "/console/stuck", p: "/console/payments", g: "/console/gateways", t: "/console/routing", w: "/console/webhooks", l: "/console/audit-log" };
  let g = 0;
  document.addEventListener("keydown", (e) => {
    if (e.target.matches("input, textarea, select") || e.metaKey || e.ctrlKey || e.altKey) return;
    if (g && Date.now() - g < 900 && places[e.key]) { location.href = places[e.key]; return; }
    g = e.key === "g" ? Date.now() : 0;
    if (e.key === "/") { const i = $$(".find input").find((one) => one.offsetParent); if (i) { e.preventDefault(); i.focus(); } }
    if (e.key === "?") $("#keys")?.showModal();
    if (e.key === "j" || e.key === "k") {
      const rows = $$("main tbody a[data-row]"), at = rows.indexOf(document.activeElement);
      rows[Math.max(0, Math.min(rows.length - 1, at + (e.key === "j" ? 1 : -1)))]?.focus();
    }
  });

  // live updates: they can be stopped, rest while the page is hidden, and leave alone what somebody is in
  let paused = false, failed = 0;
  const isLive = (e) => e.detail.requestConfig?.triggeringEvent === undefined || e.detail.elt?.getAttribute("hx-trigger")?.startsWith("every");
  const busy = (part) => part && (part.contains(document.activeElement) || $("details[open], dialog[open]", part));
  for (const b of $$("[data-live]")) b.addEventListener("click", () => {
    paused = document.body.classList.toggle("paused");
    b.textContent = paused ? "Resume" : "Pause";
    const as = $(".as", b.closest(".live")); as.dataset.words ??= as.textContent;
    as.textContent = paused ? `Stopped at ${utc(new Date())} UTC` : as.dataset.words;
    if (!paused) refresh();
  });
  const refresh = () => { for (const part of $$("[hx-trigger^=every]")) window.htmx?.trigger(part, "refresh"); };
  document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
  document.addEventListener("htmx:beforeRequest", (e) => { if (isLive(e) && (paused || document.hidden)) e.preventDefault(); });
  document.addEventListener("htmx:beforeSwap", (e) => { if (busy(e.detail.target)) e.detail.shouldSwap = false; });
  document.addEventListener("htmx:oobBeforeSwap", (e) => { if (busy(e.detail.target)) e.detail.shouldSwap = false; });
  const missed = () => {
    failed += 1;
    if (failed < 3) return;
    const note = $("#not-updated");
    if (note.hidden) { note.textContent = `Not updated since ${utc(new Date())} UTC. It is tried again every few seconds; what you see stays.`; note.hidden = false; }
  };
  document.addEventListener("htmx:responseError", missed);
  document.addEventListener("htmx:sendError", missed);
  document.addEventListener("htmx:timeout", missed);
  document.addEventListener("htmx:afterRequest", (e) => { if (e.detail.successful) { failed = 0; $("#not-updated").hidden = true; } });

  // state after an event: the page has each of them; without scripts the server is asked with ?as_of=
  const slider = $("#as-of");
  if (slider) {
    const states = JSON.parse(slider.dataset.states), out = $("#as-of-out");
    const show = () => {
      const n = +slider.value, at = states[n - 1];
      out.textContent = "";
      for (const [label, value] of at) {
        const s = document.createElement("span"), q = document.createElement("span");
        q.className = "faint"; q.textContent = label + " "; s.append(q, value); out.append(s);
      }
      slider.setAttribute("aria-valuetext", `event ${n} of ${slider.max}: ${at.map(([, value]) => value).join(", ")}`);
      const steps = $$(".tl > li[data-seq]"), last = steps.filter((li) => +li.dataset.seq <= n).pop();
      for (const li of steps) { li.classList.toggle("future", +li.dataset.seq > n); li.classList.toggle("now", li === last && n < +slider.max); }
    };
    slider.addEventListener("input", show); show();
  }

  // a decision: the button says what will be recorded, and only what belongs to it is asked for
  for (const form of $$("form[data-decide]")) {
    const b = $("button[type=submit]", form);
    const set = () => {
      const chosen = $("input[name=resolution]:checked", form);
      b.textContent = chosen ? chosen.dataset.button : "Choose what you found";
      b.disabled = !chosen;
      b.classList.toggle("danger", chosen?.dataset.danger === "yes");
      for (const part of $$("[data-for]", form)) {
        const wanted = !!chosen && part.dataset.for.split(" ").includes(chosen.value);
        part.hidden = !wanted;
        for (const field of $$("input, textarea, select", part)) field.disabled = !wanted;
      }
    };
    form.addEventListener("change", set); set();
  }
  $("#refused")?.focus();

  // plots: colours come from the tokens, by way of a probe, since a canvas knows no custom properties
  const colour = (name) => { const p = $("#probe"); p.className = `probe c-${name}`; return getComputedStyle(p).color; };
  const plots = [];
  const faded = (c, a) => c.replace("rgb(", "rgba(").replace(")", `, ${a})`);
  const latest = (idx) => ({ hooks: { setCursor: (u) => { if (u.cursor.left < 0) u.setLegend({ idx }); }, ready: (u) => u.setLegend({ idx }) } });
  const clock = (s) => { const d = new Date(s * 1000); return two(d.getUTCHours()) + ":" + two(d.getUTCMinutes()); };
  const axis = (o = {}) => ({ stroke: colour("ink-3"), font: "11px Inter, system-ui, sans-serif", grid: { stroke: faded(colour("ink-3"), .16), width: 1 }, ticks: { show: false }, ...o });
  const make = (el, height, series, data, small) => {
    el.textContent = "";
    const u = new uPlot({ width: el.clientWidth - 24, height, padding: [8, 4, 0, small ? 0 : 4], cursor: { drag: { x: false, y: false }, points: { size: 6 } }, legend: { show: !small, live: true },
      scales: { x: { time: true } }, series: [{ value: (u, v) => v == null ? "–" : clock(v) + " UTC" }, ...series],
      axes: [axis({ size: 26, values: (u, v) => v.map(clock), space: 70 }), axis({ size: small ? 54 : 44, space: small ? 30 : 34, values: small ? (u, v) => v.map((x) => x >= 1000 ? x / 1000 + " s" : x + " ms") : undefined })], plugins: [latest(data[0].length - 1)] }, data, el);
    plots.push([u, el, height]);
  };
  const line = (label, name, o = {}) => ({ label, stroke: colour(name), width: 1.5, points: { show: false }, ...o });
  const read = async (url) => { const a = await fetch(url, { headers: { "HX-Request": "true" } }); return a.ok ? a.json() : null; };
  async function draw() {
    const flow = $("#flow"), gateways = $$("[data-gw]");
    const d = flow && await read(flow.dataset.series), c = gateways.length ? await read(gateways[0].dataset.series) : null;
    for (const [u] of plots.splice(0)) u.destroy();
    if (d) make(flow, 200, [line("charged", "ok"), line("not charged", "ink-3", { dash: [5, 3] }), line("in doubt", "doubt", { width: 2, fill: faded(colour("doubt"), .18) })], [d.at, d.charged, d.not_charged, d.in_doubt]);
    for (const el of gateways) {
      const one = c?.gateways.find((each) => each.gateway === el.dataset.gw);
      if (one) make(el, 112, [line("p95", "ink-2", { spanGaps: true, points: { show: true, size: 4 } })], [c.at, one.p95_ms], true);
    }
  }
  if (window.uPlot) {
    draw(); setInterval(() => { if (!paused && !document.hidden) draw(); }, 60000);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
    addEventListener("resize", () => { for (const [u, el, h] of plots) u.setSize({ width: el.clientWidth - 24, height: h }); });
  }
})();
