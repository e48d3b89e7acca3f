// The faces over time below the portrait: keys that are added, dragged, eased and played.
import { make, makeButton } from "../base/elements.js";
import { EASES, FPS, clamp } from "../base/grammar.js";
import { makeWords } from "../base/words.js";
import { findKey, readKeys, sampleNumbers, setKey, writeKeys } from "./key_text.js";

const word = makeWords("face_editor"), nameEase = makeWords("eases");
export const STRIP_PX = 30;
const MARGIN_PX = 8, REACH_PX = 8;
const DIAMOND_PX = [[0, -5], [5, 0], [0, 5], [-5, 0]];
const LEAST_SECONDS = 2;
const COLORS = { key: "#ffd866", line: "#2b2d35", text: "#8a8d98", head: "#fff" };

export class KeyStrip {
  constructor(editor) {
    this.editor = editor;
    this.seconds = 0; // where the playhead is
    this.isScrubbing = false; // the picture shows the keys, not the sliders
    this.dragged = null; // {at, length, key}
    this.player = null;
    this.playButton = makeButton("▶", word("play"), () => this.togglePlay());
    this.addButton = makeButton("◆", word("key"), () => this.add());
    this.ease = make(
      "select", { title: word("easing"), onchange: () => this.change({ ease: this.ease.value }) },
      ...EASES.map((ease) => new Option(nameEase(ease), ease)),
    );
    this.trash = makeButton("✕", word("remove"), () => this.remove());
    this.time = make("output");
    const parts = [this.playButton, this.addButton, this.ease, this.trash, this.time];
    editor.element.append(make("div", { className: "actalker-bar" }, ...parts));
  }

  close() {
    this.player = null;
    this.isScrubbing = false;
  }

  keys() {
    try {
      this.fault = null;
      return readKeys(this.editor.value("keys") ?? "");
    } catch (fault) {
      this.fault = fault.message;
      return [];
    }
  }

  // The numbers that the picture shows in place of the sliders' own, or null.
  sample() {
    const keys = this.isScrubbing ? this.keys() : [];
    return keys.length ? sampleNumbers(keys, this.seconds) : null;
  }

  write(keys) {
    this.editor.set("keys", writeKeys(keys));
    this.editor.redraw();
  }

  add() {
    const keys = this.keys();
    if (this.fault) return; // a text that cannot be read is left to its author
    this.write(setKey(keys, this.seconds, this.editor.face()));
  }

  change(changes) {
    const keys = this.keys();
    const key = findKey(keys, this.seconds);
    const others = keys.filter((each) => each !== key);
    if (key) this.write(changes ? [...others, { ...key, ...changes }] : others);
  }

  remove() {
    this.change(null);
  }

  // Time ----------------------------------------------------------------------------------------

  length() {
    return this.dragged?.length ?? Math.max((this.keys().at(-1)?.seconds ?? 0) * 1.15, LEAST_SECONDS);
  }

  perPixel() {
    return this.length() / (this.editor.canvas.clientWidth - 2 * MARGIN_PX);
  }

  place(seconds) {
    return MARGIN_PX + seconds / this.perPixel();
  }

  unplace(x) {
    const seconds = clamp((x - MARGIN_PX) * this.perPixel(), 0, this.length());
    return Math.round(seconds * FPS) / FPS; // on a frame
  }

  scrub(seconds, isScrubbing = this.keys().length > 0) {
    Object.assign(this, { seconds, isScrubbing });
    this.editor.redraw();
    this.editor.refresh();
  }

  // By some frames, and the sliders take what is there.
  step(frames) {
    this.scrub(Math.max(Math.round(this.seconds * FPS) + frames, 0) / FPS);
    this.settle();
  }

  // The sliders take the face that is seen.
  settle() {
    if (!this.isScrubbing) return;
    this.isScrubbing = false;
    this.editor.setFace(sampleNumbers(this.keys(), this.seconds));
    this.editor.refresh();
  }

  togglePlay() {
    if (this.player) return this.stop();
    const end = this.keys().at(-1)?.seconds ?? 0;
    const from = this.seconds < end - 0.02 ? this.seconds : 0;
    const start = performance.now();
    const player = (this.player = { back: this.seconds });
    const step = () => {
      if (this.player !== player || !this.editor.element.isConnected) return;
      const seconds = from + (performance.now() - start) / 1000;
      if (seconds > end) return this.stop();
      this.scrub(seconds);
      requestAnimationFrame(step);
    };
    step();
  }

  stop() {
    if (!this.player) return;
    const { back } = this.player;
    this.player = null;
    this.scrub(back, false);
  }

  // Pointer -------------------------------------------------------------------------------------

  press(at) {
    const key = this.keys().find(({ seconds }) => Math.abs(this.place(seconds) - at[0]) < REACH_PX);
    this.dragged = { at, length: this.length(), key };
    this.scrub(key?.seconds ?? this.unplace(at[0]));
  }

  move(at) {
    const { at: from, key, isMoving } = this.dragged;
    if (!key) this.scrub(this.unplace(at[0]));
    else if (isMoving || Math.abs(at[0] - from[0]) > 2) this.moveKey(this.unplace(at[0]));
  }

  moveKey(seconds) {
    const keys = this.keys();
    const old = findKey(keys, this.dragged.key.seconds);
    const other = findKey(keys, seconds);
    if (!old || (other && other !== old)) return;
    this.dragged.isMoving = true;
    this.dragged.key = { ...old, seconds };
    this.seconds = seconds;
    this.write(keys.map((each) => (each === old ? this.dragged.key : each)));
  }

  release() {
    if (this.dragged) this.settle();
    this.dragged = null;
  }

  // Drawing -------------------------------------------------------------------------------------

  draw(context, width, height) {
    const top = height - STRIP_PX;
    context.fillStyle = "#1e2026";
    context.fillRect(0, top, width, STRIP_PX);
    context.font = "9px sans-serif";
    context.textBaseline = "top";
    const step = [0.5, 1, 2, 5, 10, 30, 60].find((each) => (each * width) / this.length() > 40) ?? 300;
    for (let second = 0; second <= this.length() + 1e-6; second += step) {
      const x = this.place(second);
      context.fillStyle = COLORS.line;
      context.fillRect(x, top, 1, STRIP_PX);
      context.fillStyle = COLORS.text;
      if (x < width - 20) context.fillText(`${second} s`, x + 3, top + 2);
    }
    const y = top + STRIP_PX - 9;
    context.fillStyle = COLORS.key;
    for (const { seconds } of this.keys()) {
      const x = this.place(seconds);
      context.beginPath();
      for (const [right, down] of DIAMOND_PX) context.lineTo(x + right, y + down);
      context.fill();
    }
    context.fillStyle = COLORS.head;
    context.fillRect(this.place(this.seconds) - 0.75, top, 1.5, STRIP_PX);
    this.updateBar();
  }

  updateBar() {
    const keys = this.keys();
    const key = findKey(keys, this.seconds);
    this.ease.disabled = this.trash.disabled = !key;
    this.ease.value = key?.ease ?? "linear";
    this.playButton.disabled = keys.length < 2;
    this.playButton.textContent = this.player ? "■" : "▶";
    this.addButton.disabled = Boolean(this.fault);
    this.time.textContent = this.fault ?? `${this.seconds.toFixed(2)} s`;
    this.time.title = this.fault ?? "";
    this.time.classList.toggle("fault", Boolean(this.fault));
  }
}
