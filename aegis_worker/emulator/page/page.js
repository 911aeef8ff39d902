// Shows what is new every two seconds, while nothing is open that the reader would lose.
"use strict";

const REFRESH_MS = 2000;

async function refresh() {
  const follows = document.getElementById("follow").checked;
  const reads = document.querySelector("main details[open]") || document.hidden;
  if (!follows || reads) return;
  const answer = await fetch("/_sandbox/", { cache: "no-store" });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const newer = page.querySelector("main");
  const main = document.querySelector("main");
  if (newer && newer.innerHTML !== main.innerHTML) main.replaceWith(document.adoptNode(newer));
}

setInterval(() => refresh().catch(() => {}), REFRESH_MS);
