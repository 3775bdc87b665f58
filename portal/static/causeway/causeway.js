// What htmx and plain HTML leave open: quiet polls, menus that close, forms that submit once.
"use strict";

(() => {
  // A hidden tab asks for nothing, nor does a part in which somebody is about to confirm: it would
  // close under his hand. A failed poll is silent, the next one comes.
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (!event.target.hasAttribute("data-live")) return;
    if (document.hidden || event.target.querySelector("details.confirm[open]")) {
      event.preventDefault();
    }
  });

  // What a screen reader is told: only what has changed.
  const tell = () => {
    const words = document.querySelector("[data-words]");
    const region = document.getElementById("live-words");
    if (!words || !region || region.textContent === words.dataset.words) return;
    region.textContent = words.dataset.words;
  };
  document.addEventListener("htmx:afterSwap", tell);
  tell();

  // Menus are <details>; they close on Escape, on a click elsewhere and when the focus leaves.
  const menus = () => document.querySelectorAll("details[data-menu][open]");
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of menus()) {
      const inside = menu.contains(document.activeElement);
      menu.open = false;
      if (inside) menu.querySelector("summary").focus();
    }
  });
  const closeOthers = (event) => {
    for (const menu of menus()) if (!menu.contains(event.target)) menu.open = false;
  };
  document.addEventListener("click", closeOthers);
  document.addEventListener("focusin", closeOthers);

  // A select that sends its form by itself, where the script runs; its button is for the others.
  for (const select of document.querySelectorAll("select[data-submits]")) {
    select.addEventListener("change", () => select.form.requestSubmit());
    for (const button of select.form.querySelectorAll("[data-without-script]")) button.hidden = true;
  }

  // A form that changes something is sent once, however often the button is pressed.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post") return;
    if (form.hasAttribute("data-sent")) event.preventDefault();
    form.setAttribute("data-sent", "");
  });
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) {
      form.removeAttribute("data-sent");
    }
  });

  for (const button of document.querySelectorAll("[data-copy]")) {
    if (!navigator.clipboard) continue;
    button.hidden = false;
    button.addEventListener("click", async () => {
      const source = document.getElementById(button.dataset.copy);
      await navigator.clipboard.writeText(source.textContent.trim());
      button.querySelector("[data-word]").textContent = button.dataset.copied;
    });
  }
})();
