// Faces over time as text, as actalker_core/control/motion/hand.py reads it:
// `0s: yaw=0 smile=0; 1s: yaw=10 smile=1 ease`. A number moves between the keys that name it.
import { EASES, FPS, misread, readNumber, readTimed, round, split, splitAll } from "../base/grammar.js";

const SAME_SECONDS = 0.5 / FPS;
const BETWEEN_WORDS = /[\s,]+/g, DIGITS = 3;

export const restOf = (name) => (name === "scale" ? 1 : 0);

const splitAt = (separator, text) => split(text, { start: 0, end: text.length }, separator);

// {name: value} of words like `smile=0.5`.
function readWords(source, words) {
  return Object.fromEntries(words.map((word) => {
    const [name, value, more] = splitAll(source, word, /=/g);
    if (!value || more) throw misread("name=number", word);
    return [name.text, readNumber(value)];
  }));
}

export const readNumbers = (text) => readWords(text, splitAt(BETWEEN_WORDS, text));

export function writeNumbers(numbers) {
  return Object.entries(numbers).map(([name, value]) => `${name}=${round(value, DIGITS)}`).join(" ");
}

function readKey(source, part) {
  const { seconds, rest } = readTimed(source, part, "sf", "time: numbers");
  const words = split(source, rest, BETWEEN_WORDS);
  const ease = EASES.includes(words.at(-1)?.text) ? words.pop().text : "linear";
  if (!words.length) throw misread("numbers after the time", part);
  return { seconds, numbers: readWords(source, words), ease };
}

// [{seconds, numbers, ease}] in their order in time; throws what cannot be read.
export function readKeys(text) {
  const parts = splitAt(/[;\n]/g, text);
  if (parts.length === 1 && !text.includes(":")) {
    return [{ seconds: 0, numbers: readWords(text, split(text, parts[0], BETWEEN_WORDS)), ease: "linear" }];
  }
  return parts.map((part) => readKey(text, part)).sort((a, b) => a.seconds - b.seconds);
}

export function writeKeys(keys) {
  const sorted = [...keys].sort((a, b) => a.seconds - b.seconds);
  return sorted.map(({ seconds, numbers, ease }) => {
    const word = ease === "linear" ? "" : ` ${ease}`;
    return `${round(seconds, DIGITS)}s: ${writeNumbers(numbers)}${word}`;
  }).join("; ");
}

export const findKey = (keys, seconds) => keys.find((key) => Math.abs(key.seconds - seconds) < SAME_SECONDS);

// What all numbers that any key names are at a time.
export function sampleNumbers(keys, seconds) {
  const names = new Set(keys.flatMap(({ numbers }) => Object.keys(numbers)));
  return Object.fromEntries([...names].map((name) => {
    const own = keys.filter(({ numbers }) => name in numbers);
    const next = own.findIndex((key) => key.seconds > seconds + 1e-6);
    if (next <= 0) return [name, own.at(next < 0 ? -1 : 0).numbers[name]];
    const [before, after] = [own[next - 1], own[next]];
    const share = before.ease === "hold" ? 0 : (seconds - before.seconds) / (after.seconds - before.seconds);
    const eased = before.ease === "ease" ? share * share * (3 - 2 * share) : share;
    const value = before.numbers[name];
    return [name, value + Math.max(eased, 0) * (after.numbers[name] - value)];
  }));
}

// The keys with a whole face at a time. What no key named before was at rest in all of them.
export function setKey(keys, seconds, face) {
  const before = new Set(keys.flatMap(({ numbers }) => Object.keys(numbers)));
  const fresh = Object.keys(face).filter((name) => face[name] !== restOf(name) && !before.has(name));
  const names = [...before, ...fresh];
  if (!names.length) names.push("yaw"); // a key names a number
  const numbers = Object.fromEntries(names.map((name) => [name, face[name] ?? restOf(name)]));
  const rest = Object.fromEntries(fresh.map((name) => [name, restOf(name)]));
  const same = findKey(keys, seconds);
  const others = keys.filter((key) => key !== same);
  const whole = others.map((key) => ({ ...key, numbers: { ...key.numbers, ...rest } }));
  return [...whole, { seconds: same?.seconds ?? seconds, numbers, ease: same?.ease ?? "linear" }];
}
