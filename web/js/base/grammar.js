// What the grammars of the editors share; actalker_core/control/grammar.py is their master.

export const EASES = ["linear", "hold", "ease"]; // from a key to the next
export const FPS = 25; // what a time in frames counts
export const SAME_SECONDS = 1e-6;

export class TextFault extends Error {
  constructor(expected, start, got) {
    const found = got ? `"${got}"` : "nothing";
    super(`expected ${expected} at character ${start + 1}, got ${found}`);
  }
}

// What is to be thrown of a part that is not as expected.
export const misread = (expected, part) => new TextFault(expected, part.start, part.text);

// A part of the text: where it stands, without spaces at its ends.
export function trim(source, start, end) {
  while (start < end && /\s/.test(source[start])) start++;
  while (start < end && /\s/.test(source[end - 1])) end--;
  return { start, end, text: source.slice(start, end) };
}

export function splitAll(source, { start, end }, separator) {
  const parts = [];
  let from = start;
  for (const match of source.slice(start, end).matchAll(separator)) {
    parts.push(trim(source, from, start + match.index));
    from = start + match.index + match[0].length;
  }
  return [...parts, trim(source, from, end)];
}

export const split = (...args) => splitAll(...args).filter((part) => part.text);

export const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

export function readNumber(part) {
  if (!NUMBER.test(part.text) || !Number.isFinite(Number(part.text))) throw misread("a number", part);
  return Number(part.text);
}

// `time: rest` -> {start, end, text, seconds, unit: one of the letters or "", when, rest: parts}.
export function readTimed(source, part, units, expected) {
  const colon = part.start + part.text.indexOf(":");
  if (colon < part.start) throw misread(expected, part);
  const when = trim(source, part.start, colon);
  const unit = units.includes(when.text.at(-1)) ? when.text.at(-1) : "";
  const time = readNumber(trim(source, when.start, when.end - unit.length));
  if (time < 0) throw misread("a time of 0 or more", when);
  return { ...part, seconds: unit === "f" ? time / FPS : time, unit, when, rest: trim(source, colon + 1, part.end) };
}

export const clamp = (number, least = 0, most = 1) => Math.min(Math.max(number, least), most);

export const round = (number, digits) => String(Number(number.toFixed(digits)));

export const replace = (source, { start, end }, text) => source.slice(0, start) + text + source.slice(end);

// --- Parts at their times: {start, end, seconds}

export const sortByTime = (parts) => [...parts].sort((a, b) => a.seconds - b.seconds);

// Whether any other part than one is at a time.
export const isTaken = (parts, seconds, own) =>
  parts.some((part) => part.start !== own?.start && Math.abs(part.seconds - seconds) < SAME_SECONDS);

// A text is put after the last part before its time, else before the part that is written first.
export function insertPart(source, parts, seconds, text, gap) {
  const before = sortByTime(parts).findLast((part) => part.seconds < seconds);
  const at = before ? before.end : parts[0].start;
  return replace(source, { start: at, end: at }, before ? gap + text : text + gap);
}

// One of several parts is taken away, with what parts it from the next.
export function removePart(source, parts, { start, end }) {
  const i = parts.findIndex((part) => part.start === start);
  const next = parts[i + 1];
  return replace(source, next ? { start, end: next.start } : { start: parts[i - 1].end, end }, "");
}
