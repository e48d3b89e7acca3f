// The stage that a node is at, as nodes/common/progress.py writes it, in the language of the page, which
// the server does not know: "Sampling, 3 of 12, about 2 min left".
import { makeWords } from "./base/words.js";

const LINE = /^([^,]+)(?:, (\d+) of (\d+))?(?:, about ([\d hmins]+) left)?$/;
const nameStage = makeWords("stages"), word = makeWords("progress");

// A line that tells no stage, such as a warning, stays as it is.
export function translateStage(line) {
  const [, stage, done, total, time] = LINE.exec(line) ?? [];
  const name = nameStage(stage);
  if (!name) return line;
  const left = time?.replace(/[a-z]+/g, (unit) => word(unit));
  return name + (done ? word("count", done, total) : "") + (left ? word("left", left) : "");
}
