// The lanes of a timeline. A lane reads its text from a widget and writes it there; its items stand at
// times: keys of a curve, or flags with words. `view` is where it is drawn: {top, height, width, seconds,
// place(seconds, value) → [x, y], sound}. What cannot be read throws a TextFault.
import { FPS, clamp, sortByTime } from "../base/grammar.js";
import { loudnessOfFrames } from "../base/sound.js";
import { addKey, changeKey, findEditable, readCurve, removeKey, sampleCurve } from "./curve_text.js";
import { readDrawnCurve } from "./drawn_curve.js";
import { addMoment, changeMoment, readPrompt, removeMoment } from "./prompt_text.js";

const KEY_PX = 4.5, REACH_PX = 9, MOST_FRAMES = 20000;
const FLAG_PX = 15, FLAG_PADDING_PX = 5, FLAG_FONT = "11px sans-serif";
const FAULT_COLOR = "#ff7b72";
const NEUTRAL = "neutral";

class Lane {
  hasWords = false;

  // label, color; read() → the text, or null where there is none yet; write(text); rest() → the text to
  // begin with; findDrawn() → a CURVE of ComfyUI's own, which is edited where it is, or null.
  constructor(options) {
    Object.assign(this, { findDrawn: () => null, ...options });
  }

  // What is shown.
  get state() {
    return [this.read(), this.rest(), this.findDrawn()];
  }

  get text() {
    return this.read() ?? this.rest();
  }

  get fault() {
    try {
      this.list();
      return null;
    } catch (fault) {
      return fault;
    }
  }

  get items() {
    return this.fault ? [] : this.list(); // a text that cannot be read is left to its author
  }

  get shade() {
    return this.fault ? FAULT_COLOR : this.color;
  }
}

// Keys of a curve, written as curve_text.js reads them.
export class CurveLane extends Lane {
  list() {
    return this.findDrawn() ? [] : (findEditable(readCurve(this.text))?.keys ?? []);
  }

  find(view, [x, y]) {
    const distanceTo = ({ seconds, value }) => {
      const [keyX, keyY] = view.place(seconds, value);
      return Math.hypot(keyX - x, keyY - y);
    };
    const [near] = this.items.sort((a, b) => distanceTo(a) - distanceTo(b));
    return near && distanceTo(near) <= REACH_PX ? near : null;
  }

  add({ seconds, value }) {
    if (!this.findDrawn()) this.write(addKey(this.text, seconds, value));
  }

  change(key, changes) {
    this.write(changeKey(this.text, key, changes));
  }

  remove(key) {
    this.write(removeKey(this.text, key));
  }

  sample({ seconds, sound }) {
    const frames = clamp(Math.ceil(seconds * FPS) + 1, 2, MOST_FRAMES);
    const fps = (frames - 1) / seconds;
    const drawn = this.findDrawn();
    const terms = drawn || this.fault ? [] : readCurve(this.text);
    const values = sampleCurve(terms, frames, fps, sound && loudnessOfFrames(sound, frames, fps));
    const evaluate = drawn && readDrawnCurve(drawn);
    return { fps, values: drawn ? values.map((_, i) => evaluate(i / (frames - 1))) : values };
  }

  draw(context, view, chosen) {
    const isDrawn = Boolean(this.findDrawn());
    context.strokeStyle = context.fillStyle = this.shade;
    context.globalAlpha = this.read() === null && !isDrawn ? 0.35 : 1;
    context.lineWidth = 1.5;
    context.setLineDash(isDrawn ? [5, 3] : []);
    context.beginPath();
    const { fps, values } = this.sample(view);
    values.forEach((value, i) => context.lineTo(...view.place(i / fps, value)));
    context.stroke();
    context.setLineDash([]);
    for (const key of this.items) {
      context.beginPath();
      context.arc(...view.place(key.seconds, key.value), KEY_PX, 0, 2 * Math.PI);
      context.fill();
      if (key.start === chosen?.start) outline(context);
    }
    context.globalAlpha = 1;
  }
}

// Words at their times, written as prompt_text.js reads them; `mayBeEmpty`: no words are words too.
export class FlagLane extends Lane {
  hasWords = true;

  list() {
    return this.mayBeEmpty && !this.text.trim() ? [] : readPrompt(this.text);
  }

  // Where each flag stands: one row lower than a flag that it would cover.
  layOut(view) {
    const context = document.createElement("canvas").getContext("2d");
    context.font = FLAG_FONT;
    const rows = Math.max(Math.floor(view.height / FLAG_PX), 1);
    const ends = new Array(rows).fill(-Infinity);
    return sortByTime(this.items).map((item) => {
      const width = context.measureText(item.words).width + 2 * FLAG_PADDING_PX;
      const [pole] = view.place(item.seconds, 0);
      const left = Math.max(Math.min(pole, view.width - width - 1), 0);
      const free = ends.findIndex((end) => end <= left);
      const row = free < 0 ? ends.indexOf(Math.min(...ends)) : free;
      ends[row] = left + width + 2;
      return { item, pole, left, width, top: view.top + row * FLAG_PX };
    });
  }

  find(view, [x, y]) {
    const flags = this.layOut(view).reverse();
    const isOn = ({ left, width, top }) => x >= left && x <= left + width && y >= top && y < top + FLAG_PX;
    const isNear = ({ pole }) => Math.abs(pole - x) <= REACH_PX / 2;
    return (flags.find(isOn) ?? flags.find(isNear))?.item ?? null;
  }

  add({ seconds }) {
    this.write(addMoment(this.text, seconds, NEUTRAL));
  }

  change(moment, changes) {
    this.write(changeMoment(this.text, moment, changes));
  }

  remove(moment) {
    this.write(removeMoment(this.text, moment) || (this.mayBeEmpty ? "" : NEUTRAL));
  }

  draw(context, view, chosen) {
    context.font = FLAG_FONT;
    context.textBaseline = "middle";
    const { shade } = this;
    for (const { item, pole, left, width, top } of this.layOut(view)) {
      context.fillStyle = shade;
      context.fillRect(pole - 0.75, view.top, 1.5, view.height);
      context.beginPath();
      context.roundRect(left, top, width, FLAG_PX - 2, 3);
      context.fill();
      if (item.start === chosen?.start) outline(context);
      context.fillStyle = "#17181c";
      context.fillText(item.words, left + FLAG_PADDING_PX, top + (FLAG_PX - 2) / 2);
    }
  }
}

// What is chosen has a white border.
function outline(context) {
  context.strokeStyle = "#fff";
  context.lineWidth = 1.5;
  context.stroke();
}
