/** The password, for servers that have one. */

const said = /** @type {HTMLElement} */ (document.getElementById("said"));
const password = /** @type {HTMLInputElement} */ (document.getElementById("password"));

document.getElementById("sign-in")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const answer = await fetch("/api/login", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ password: password.value }),
  });
  if (answer.ok) location.replace("/");
  else said.textContent = (await answer.json()).error;
});
