// What the editors say, in the language that is chosen for the front end: English or Chinese.
//     const word = makeWords("regions");
//     button.title = word("brush");  note.textContent = word("overlap", 3); // "… by {0} %: …"
import { app } from "../../../../scripts/app.js";

async function load(language) {
  const address = new URL(`../../words/${language}.json`, import.meta.url);
  return (await fetch(address, { cache: "no-cache" })).json(); // those of an older pack are no use
}

const [english, chinese] = await Promise.all(["en", "zh"].map(load));

export function isChinese() {
  const locale = app.extensionManager?.setting?.get?.("Comfy.Locale") ?? navigator.language;
  return String(locale).startsWith("zh");
}

// A part of the words -> (name, ...values) => text, undefined where there is none; values stand where it
// has {0}, {1} …
export function makeWords(part) {
  return (name, ...values) =>
    (isChinese() ? chinese : english)[part][name]?.replace(/\{(\d)\}/g, (_, i) => values[i]);
}
