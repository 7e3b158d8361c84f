// Gives the keyboard to the app as soon as it paints and whenever its page is shown; to the way back in once it has ended.
"use strict";

function giveKeyboard() {
  const closed = document.body.classList.contains("-closed");
  document.querySelector(closed ? ".closed a" : ".xterm-helper-textarea")?.focus();
}

addEventListener("DOMContentLoaded", () => {
  new MutationObserver(giveKeyboard).observe(document.body, { attributeFilter: ["class"] });
});
addEventListener("focus", giveKeyboard);
