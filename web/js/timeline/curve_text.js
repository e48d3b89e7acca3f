// The grammar of curves, as actalker_core/control/curves.py reads it: `0:1, 2.5:0 hold * envelope`.
// The text stays the master: a key that changes is rewritten where it stands, all else is kept.
import {
  EASES, FPS, SAME_SECONDS, TextFault, clamp, insertPart, isTaken, misread, readNumber, readTimed, removePart,
  replace, round, sortByTime, split, splitAll, trim,
} from "../base/grammar.js";

const OPTIONS = { attack: 0.05, release: 0.25, threshold: 0.05 };
const UNUSUAL_FPS = 23.4567; // no key in frames falls on one in seconds by chance

function readStrength(part) {
  const value = readNumber(part);
  if (value < 0 || value > 1) throw misread("a strength from 0 (off) to 1 (full)", part);
  return value;
}

function readKey(source, part) {
  const key = readTimed(source, part, ["s", "f"], "time:strength, such as 2.5:0 or 40f:1 hold");
  const [value = key.rest, ease, ...more] = split(source, key.rest, /\s+/g);
  const strength = readStrength(value);
  const stray = ease?.text.includes(":") ? value.end : more[0]?.start;
  if (stray !== undefined) {
    throw new TextFault("a comma before the next key", stray, source.slice(stray, part.end));
  }
  if (ease && !EASES.includes(ease.text)) throw misread(EASES.join(" or "), ease);
  return { ...key, value: strength, ease: ease?.text ?? "linear" };
}

function readKeys(source, part) {
  const keys = split(source, part, /[,;\n]/g).map((each) => readKey(source, each));
  const unusual = keys.map((key) => ({ ...key, seconds: key.seconds * (key.unit === "f" ? FPS / UNUSUAL_FPS : 1) }));
  const repeat = unusual.find(({ seconds }, i) => isTaken(unusual.slice(0, i), seconds));
  if (repeat) throw misread("each time once", repeat);
  return keys;
}

function readOptions(source, rest) {
  const options = { ...OPTIONS };
  for (const word of split(source, rest, /\s+/g)) {
    const [, name, value] = /^(attack|release|threshold)=(.*)/s.exec(word.text) ?? [];
    if (!name) throw misread("attack=, release= or threshold= and a number", word);
    options[name] = readNumber({ start: word.end - value.length, text: value });
    if (options[name] < 0 || (name === "threshold" && options[name] >= 1)) {
      throw misread("0 or more, a threshold below 1", word);
    }
  }
  return options;
}

// A term has keys, values (one per frame), or the options of an envelope.
function readTerm(source, term) {
  const [inverts] = /^(invert\b\s*)*/.exec(term.text);
  const part = trim(source, term.start + inverts.length, term.end);
  const found = { ...part, isInverse: inverts.split("invert").length % 2 === 0 };
  if (/^envelope\b/.test(part.text)) {
    return { ...found, options: readOptions(source, trim(source, part.start + "envelope".length, part.end)) };
  }
  if (part.text.includes(":")) return { ...found, keys: readKeys(source, part) };
  const values = split(source, part, /[\s,;]+/g).map(readStrength);
  if (!values.length) throw misread("a strength, keys or envelope", part);
  return { ...found, values };
}

// The terms of a text, which are multiplied; a TextFault says what cannot be read.
export function readCurve(source) {
  return splitAll(source, trim(source, 0, source.length), /\*/g).map((term) => readTerm(source, term));
}

// The term whose keys are edited: the first that has some, else the first that is one strength.
export function findEditable(terms) {
  return terms.find(({ keys }) => keys) ?? terms.find(({ values }) => values?.length === 1);
}

export function writeKey({ seconds, unit = "", value, ease = "linear" }) {
  const time = Math.max(seconds, 0);
  const number = unit === "f" ? Math.round(time * FPS) : round(time, 3);
  const word = ease === "linear" ? "" : ` ${ease}`;
  return `${number}${unit}:${round(clamp(value), 3)}${word}`;
}

const timeOf = (written) => readCurve(written)[0].keys[0].seconds;

// Each edit gives the new text, or the old one where two keys would stand at one time.
export function changeKey(source, key, changes) {
  const written = writeKey({ ...key, ...changes });
  const { keys } = findEditable(readCurve(source));
  return isTaken(keys, timeOf(written), key) ? source : replace(source, key, written);
}

export function addKey(source, seconds, value) {
  const term = findEditable(readCurve(source));
  const written = writeKey({ seconds, value });
  const time = timeOf(written);
  if (!term?.keys) {
    const keys = time ? `0:${term?.text ?? 1}, ${written}` : written;
    return term ? replace(source, term, keys) : `${source} * ${keys}`;
  }
  return isTaken(term.keys, time) ? source : insertPart(source, term.keys, time, written, ", ");
}

export function removeKey(source, key) {
  const term = findEditable(readCurve(source));
  return term.keys.length > 1 ? removePart(source, term.keys, key) : replace(source, term, round(key.value, 3));
}

// --- Sampling: each gives the value of a frame; frames are asked in their order

function followKeys(keys, fps) {
  const sorted = sortByTime(keys);
  let i = 0;
  return (frame) => {
    const seconds = frame / fps;
    while (sorted[i + 1]?.seconds <= seconds + SAME_SECONDS) i++;
    const [before, after] = [sorted[i], sorted[i + 1]];
    const since = seconds - before.seconds;
    if (!after || since < SAME_SECONDS || before.ease === "hold") return before.value;
    const share = since / (after.seconds - before.seconds);
    const eased = before.ease === "ease" ? share * share * (3 - 2 * share) : share;
    return before.value + eased * (after.value - before.value);
  };
}

function followLoudness(loudness, { attack, release, threshold }, fps) {
  const step = (seconds) => (seconds === 0 ? 1 : 1 - Math.exp(-1 / (seconds * fps)));
  const [rise, fall] = [step(attack), step(release)];
  const peak = Math.max(...loudness) || 1;
  let level = 0;
  return (frame) => {
    const target = clamp((loudness[frame] / peak - threshold) / (1 - threshold));
    level += (target - level) * (target > level ? rise : fall);
    return level;
  };
}

// The curve, one number per frame; loudness (a number per frame) is what envelope follows.
export function sampleCurve(terms, frames, fps, loudness) {
  const follow = ({ keys, values, options }) => {
    if (keys) return followKeys(keys, fps);
    if (values) return (frame) => values[Math.min(frame, values.length - 1)];
    return loudness ? followLoudness(loudness, options, fps) : () => 1;
  };
  const curve = new Float64Array(frames).fill(1);
  for (const term of terms) {
    const sample = follow(term);
    for (let i = 0; i < frames; i++) curve[i] *= term.isInverse ? 1 - sample(i) : sample(i);
  }
  return curve;
}
