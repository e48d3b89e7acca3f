// The grammar of expressions over time, as actalker_core/control/words/prompt.py reads it:
// `0s: neutral; 2s: joyful`. A moment that changes is rewritten where it stands, all else is kept.
import {
  TextFault, insertPart, isTaken, misread, readTimed, removePart, replace, round, split, trim,
} from "../base/grammar.js";

const NEXT_TIME = /(?<![\s,])[\s,]+([0-9.]+s?)\s*:/g;

function readMoment(source, part) {
  const { rest, when, ...moment } = readTimed(source, part, ["s"], "time: text, such as 2s: joyful");
  if (!rest.text) throw misread("a text after the time", rest);
  const gap = rest.text.search(NEXT_TIME);
  if (gap >= 0) {
    throw new TextFault("a semicolon before the next time", rest.start + gap, rest.text.slice(gap));
  }
  return { ...moment, when: when.text, words: rest.text };
}

// The moments of a text, {start, end, seconds, unit, when: the time as it is written or null, words}.
export function readPrompt(source) {
  const whole = trim(source, 0, source.length);
  const parts = split(source, whole, /[;\n]/g);
  if (!parts.length) throw misread("a text, such as joyful", whole);
  if (parts.length === 1 && !parts[0].text.includes(":")) {
    return [{ ...parts[0], seconds: 0, unit: "s", when: null, words: parts[0].text }];
  }
  const moments = parts.map((part) => readMoment(source, part));
  const repeat = moments.find(({ seconds }, i) => moments.findIndex((each) => each.seconds === seconds) < i);
  if (repeat) throw misread("each time once", repeat);
  return moments;
}

const writeTime = (seconds, unit) => `${round(Math.max(seconds, 0), 3)}${unit}`;

// Words that no part of the grammar can be read out of.
const clean = (words) => words.replace(/[;\n]+/g, " ").replace(NEXT_TIME, " $1 ").replace(/\s+/g, " ").trim();

// Each edit gives the new text, or the old one where two moments would have one time.
export function changeMoment(source, moment, { seconds = moment.seconds, words = "" }) {
  const text = clean(words) || moment.words;
  const written = writeTime(seconds, moment.unit);
  let { when } = moment;
  if (written !== writeTime(moment.seconds, moment.unit)) {
    if (isTaken(readPrompt(source), parseFloat(written), moment)) return source;
    when = written;
  } else if (text.includes(":")) when ??= written;
  return replace(source, moment, when === null ? text : `${when}: ${text}`);
}

export function addMoment(source, seconds, words) {
  const when = writeTime(seconds, "s");
  const written = `${when}: ${clean(words)}`;
  if (!source.trim()) return written;
  const moments = readPrompt(source);
  if (isTaken(moments, parseFloat(when))) return source;
  const [first] = moments;
  if (first.when === null) return replace(source, first, `0s: ${first.words}; ${written}`);
  const gap = source.includes(";") || moments.length === 1 ? "; " : "\n";
  return insertPart(source, moments, seconds, written, gap);
}

// The last moment leaves an empty text behind.
export function removeMoment(source, moment) {
  const moments = readPrompt(source);
  return moments.length > 1 ? removePart(source, moments, moment) : "";
}
