"use strict";
// The page of `sam2s live`: clicks become actions, the state is asked for twice a second.
const byId = (id) => document.getElementById(id);
const COLOURS = ["#00c8ff", "#ffeb3b", "#00e676", "#d500f9", "#ff9100", "#2979ff", "#c6ff00", "#ff4081", "#64ffda", "#b388ff"];
const picture = byId("picture");
let chosen = 1;
let known = {};
let ended = false;
const OLD = 3;  // seconds after which a picture is no longer live

function say(text) { byId("message").textContent = text; }

function tellAge(age) {
  const old = age == null || age > OLD;
  byId("old").textContent = !old ? "" : age == null ? "No picture yet" : `No new picture for ${Math.round(age)} s`;
  picture.classList.toggle("old", old);
}

async function act(action) {
  try {
    const answer = await fetch("/act", {
      method: "POST",
      headers: {"Content-Type": "application/json"},
      body: JSON.stringify(action),
    });
    const said = await answer.json();
    ended ||= answer.ok && action.action === "stop";
    say(ended ? "Stopped." : answer.ok ? "" : said.error);
  } catch { say("The program does not answer; has it ended?"); }
}

// Where in the source a pointer is: the picture is fitted into its box, at the upper left.
function place(event) {
  const box = picture.getBoundingClientRect();
  const wide = picture.naturalWidth, high = picture.naturalHeight;
  if (!wide) return null;
  const scale = Math.min(box.width / wide, box.height / high);
  const x = (event.clientX - box.left) / scale, y = (event.clientY - box.top) / scale;
  return x >= 0 && y >= 0 && x < wide && y < high ? {x: Math.floor(x), y: Math.floor(y)} : null;
}

function click(event, label) {
  event.preventDefault();
  const at = place(event);
  if (at) act({action: "click", object: chosen, ...at, label});
}

function choose(id) {
  chosen = id;
  byId("name").value = known[id]?.name ?? "";
  draw();
}

function draw() {
  const ids = new Set([...Object.keys(known).map(Number), chosen]);
  const buttons = [...ids].sort((a, b) => a - b).map((id) => {
    const button = document.createElement("button");
    const one = known[id];
    button.type = "button";
    button.role = "radio";
    button.ariaChecked = String(id === chosen);
    button.textContent = `${id} ${one?.name ?? one?.class ?? ""} ${one ? (one.presence < 0.5 ? "(not in view)" : "") : "(click it)"}`;
    button.classList.toggle("absent", Boolean(one) && one.presence < 0.5);
    button.style.setProperty("--own", COLOURS[(id - 1) % COLOURS.length]);
    button.addEventListener("click", () => choose(id));
    return button;
  });
  byId("objects").replaceChildren(...buttons);
}

async function poll() {
  if (ended) return;
  try {
    const answer = await fetch("/state");
    const state = await answer.json();
    if (!answer.ok) { say(state.error); return; }
    tellAge(state.age);
    const before = JSON.stringify(known);
    known = state.objects;
    if (JSON.stringify(known) !== before) draw();
    byId("time").textContent = state.time == null ? "–" : `${state.time.toFixed(1)} s${state.blanked ? ", out of the body" : ""}`;
    const spent = state.latency;
    byId("latency").textContent = spent.count ? `${spent.p50.toFixed(0)} ms (95 %: ${spent.p95.toFixed(0)})` : "–";
  } catch {
    if (ended) return;
    say("The program does not answer; has it ended?");
    picture.classList.add("old");
  }
}

picture.addEventListener("click", (event) => click(event, event.shiftKey ? 0 : 1));
picture.addEventListener("contextmenu", (event) => click(event, 0));
byId("new").addEventListener("click", () => choose(Math.max(0, chosen, ...Object.keys(known).map(Number)) + 1));
byId("remove").addEventListener("click", () => act({action: "remove", object: chosen}));
byId("stop").addEventListener("click", () => act({action: "stop"}));
byId("name").addEventListener("change", (event) => act({action: "name", object: chosen, name: event.target.value}));
document.addEventListener("keydown", (event) => {
  if (event.target.tagName === "INPUT" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key >= "1" && event.key <= "9") choose(Number(event.key));
  else if (event.key === "n") byId("new").click();
  else if (event.key === "x") byId("remove").click();
});
draw();
poll();
setInterval(poll, 500);
