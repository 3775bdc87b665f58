// Runs before anything is painted: the look that was chosen, or the one the system asks for.
"use strict";

(() => {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const chosen = () => {
    try {
      return window.localStorage.getItem("theme");
    } catch {
      return null; // Storage may be forbidden; then the system decides.
    }
  };
  const show = () => {
    const theme = chosen() || (dark.matches ? "dark" : "light");
    document.documentElement.setAttribute("data-bs-theme", theme);
    for (const button of document.querySelectorAll("[data-theme-toggle]")) {
      button.hidden = false;
      button.setAttribute("aria-pressed", String(theme === "dark"));
    }
  };

  show();
  dark.addEventListener("change", show);
  document.addEventListener("DOMContentLoaded", () => {
    show();
    for (const button of document.querySelectorAll("[data-theme-toggle]")) {
      button.addEventListener("click", () => {
        const now = document.documentElement.getAttribute("data-bs-theme");
        try {
          window.localStorage.setItem("theme", now === "dark" ? "light" : "dark");
        } catch {
          document.documentElement.setAttribute("data-bs-theme", now === "dark" ? "light" : "dark");
          return;
        }
        show();
      });
    }
  });
})();
