// A portrait on its node that follows the sliders: dragged by face and eyes, with presets and keys.
import { Editor, findWidget, moveToTop } from "../base/editor.js";
import { make, makeButton } from "../base/elements.js";
import { clamp } from "../base/grammar.js";
import { Still, findPicture } from "../base/picture.js";
import { Question } from "../base/question.js";
import { View } from "../base/view.js";
import { makeWords } from "../base/words.js";
import { KeyStrip, STRIP_PX } from "./key_strip.js";
import { readNumbers, restOf, writeNumbers } from "./key_text.js";
import { PresetBar } from "./preset_bar.js";

const word = makeWords("face_editor");
const HEAD = ["pitch", "yaw", "roll", "move_x", "move_y", "scale"];
const FACE = [
  "gaze_x", "gaze_y", "blink_left", "blink_right", "wink", "squint", "brows", "smile", "aaa", "eee", "woo", "pucker",
];
const SLIDERS = [...HEAD, ...FACE];
const WIDGETS = [...SLIDERS, "more_numbers", "lips", "face", "face_index", "keys"];
const WIDTH_PX = 340, HEIGHT_PX = 365;
const TURN_DEGREES = 90; // of a drag over a face's width: the nose goes with the pointer
const MOST_DEGREES = { yaw: 30, pitch: 30, roll: 20 };
const HINT_COLOR = "#7aa2f7";

export class FaceEditor extends Editor {
  constructor(node) {
    super(node, "face_editor", HEIGHT_PX);
    moveToTop(node, this.widget);
    node.setSize([Math.max(node.size[0], WIDTH_PX), node.size[1]]);
    this.still = new Still(() => this.redraw()); // the picture as it is
    this.question = new Question(node, "face", () => {
      this.redraw();
      this.element.dataset.shown = this.question.asked ?? "";
      this.refresh();
    });
    this.hover = null;
    this.dragged = null;
    this.hint = make("div", { className: "actalker-hint" });
    this.element.append(this.hint);
    this.canvas.ariaLabel = word("help");
    this.note = make("output");
    this.presets = new PresetBar(this, HEAD);
    this.bar.append(makeButton("⟲", word("reset"), () => this.setFace({})), this.note);
    this.strip = new KeyStrip(this);
    WIDGETS.forEach((name) => this.follow(name));
    this.listen({
      pointerdown: this.press,
      pointermove: this.move,
      pointerup: this.release,
      pointercancel: this.release,
      pointerleave: () => this.setHover(null),
      dblclick: this.reset,
      keydown: this.typeKey,
    });
  }

  close() {
    super.close();
    this.strip.close();
  }

  // A native widget that changes is drawn at once, not when the editor looks next.
  follow(name) {
    const widget = findWidget(this.node, name);
    if (!widget) return;
    const { callback } = widget;
    widget.callback = (...values) => {
      callback?.apply(widget, values);
      this.look();
    };
  }

  // What is shown -------------------------------------------------------------------------------

  picture() {
    return findPicture(this.node, "portrait_image");
  }

  read() {
    return JSON.stringify([WIDGETS.map((name) => this.value(name)), this.picture()]);
  }

  look() {
    super.look();
    this.refresh();
  }

  // {name: value} of the sliders and of more_numbers as far as they can be read.
  face() {
    const face = Object.fromEntries(SLIDERS.map((name) => [name, Number(this.value(name) ?? restOf(name))]));
    try {
      return { ...face, ...readNumbers(this.value("more_numbers") ?? "") };
    } catch {
      return face;
    }
  }

  // What the server is to be asked for, or null where it knows nothing of the picture.
  describe() {
    const picture = this.picture();
    if (!picture?.isLive) return null;
    const read = (names) => Object.fromEntries(names.map((name) => [name, this.value(name)]));
    const keyed = this.strip.sample();
    const numbers = keyed ? { numbers: keyed } : { numbers: read(SLIDERS), ...read(["more_numbers"]) };
    return { picture: picture.name, ...numbers, ...read(["lips", "face", "face_index"]) };
  }

  refresh() {
    if (this.element.isConnected) this.question.ask(this.describe());
  }

  // Sets the sliders to a face, and what they lack as text.
  setFace(face) {
    for (const name of SLIDERS) this.set(name, Number((face[name] ?? restOf(name)).toFixed(3)));
    const more = Object.entries(face).filter(([name, value]) => !SLIDERS.includes(name) && value !== 0);
    this.set("more_numbers", writeNumbers(Object.fromEntries(more)));
  }

  // Pointer and keyboard ------------------------------------------------------------------------

  // Where a picture is on the canvas.
  place(image) {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    return new View(width, height - STRIP_PX, [0, 0, 1, 1], image.width / image.height, 0);
  }

  // A box of the facts, as an ellipse on the canvas.
  ellipse([x0, y0, x1, y1], grow = 1) {
    const view = this.place(this.question.answer.image);
    const [x, y] = view.place([(x0 + x1) / 2, (y0 + y1) / 2]);
    return { x, y, rx: (grow * (x1 - x0) * view.width) / 2, ry: (grow * (y1 - y0) * view.height) / 2 };
  }

  eye(box) {
    const { x, y, rx } = this.ellipse(box, 1.4);
    return { x, y, rx, ry: 0.7 * rx };
  }

  // "strip", "eyes", "face", "around" or null.
  findZone([x, y]) {
    if (y > this.canvas.clientHeight - STRIP_PX) return "strip";
    const { answer, fault } = this.question;
    if (!answer || fault) return null;
    const isIn = (e) => ((x - e.x) / e.rx) ** 2 + ((y - e.y) / e.ry) ** 2 < 1;
    if (answer.facts.eyes.some((box) => isIn(this.eye(box)))) return "eyes";
    return isIn(this.ellipse(answer.facts.face)) ? "face" : "around";
  }

  setHover(zone) {
    if (zone === this.hover) return;
    this.hover = zone;
    this.canvas.style.cursor = { eyes: "crosshair", face: "grab", around: "ew-resize", strip: "pointer" }[zone] ?? "";
    this.redraw();
  }

  press(event) {
    if (event.button !== 0) return;
    const at = this.locate(event);
    const zone = this.findZone(at);
    this.canvas.focus();
    if (!zone) return;
    this.strip.stop();
    this.canvas.setPointerCapture(event.pointerId);
    if (zone === "strip") return this.strip.press(at);
    const { face, eyes } = this.question.answer.facts;
    const eye = Math.max(...eyes.map((box) => this.eye(box).rx));
    this.dragged = { zone, at, face: this.ellipse(face), eye, start: this.face() };
  }

  move(event) {
    const at = this.locate(event);
    if (this.strip.dragged) return this.strip.move(at);
    if (!this.dragged) return this.setHover(this.findZone(at));
    const { zone, at: from, face, eye, start } = this.dragged;
    const [right, up] = [at[0] - from[0], from[1] - at[1]];
    const turn = (name, change) => {
      const most = Math.max(MOST_DEGREES[name], Math.abs(start[name]));
      this.set(name, Math.round(clamp(start[name] + change, -most, most)));
    };
    const look = (name, change) => this.set(name, Math.round(clamp(start[name] + change, -1) * 20) / 20);
    if (zone === "face") {
      turn("yaw", (right / (2 * face.rx)) * TURN_DEGREES);
      turn("pitch", (up / (2 * face.rx)) * TURN_DEGREES);
    } else if (zone === "eyes") {
      look("gaze_x", right / eye);
      look("gaze_y", up / eye);
    } else {
      const angle = ([x, y]) => Math.atan2(y - face.y, x - face.x);
      const radians = angle(at) - angle(from);
      turn("roll", (Math.atan2(Math.sin(radians), Math.cos(radians)) * 180) / Math.PI);
    }
  }

  release() {
    this.strip.release();
    this.dragged = null;
    this.redraw();
  }

  reset(event) {
    const zone = this.findZone(this.locate(event));
    const names = { eyes: ["gaze_x", "gaze_y"], face: ["yaw", "pitch"], around: ["roll"] }[zone] ?? [];
    for (const name of names) this.set(name, 0);
  }

  typeKey(event) {
    const frames = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === " ") this.strip.togglePlay();
    else if (event.key === "Delete" || event.key === "Backspace") this.strip.remove();
    else if (frames) this.strip.step(frames);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  // Drawing -------------------------------------------------------------------------------------

  draw(context, width, height) {
    context.clearRect(0, 0, width, height);
    const picture = this.picture(), { answer, fault } = this.question;
    // The picture as it is, until the server answers and where it cannot.
    const image = answer?.image ?? (picture && this.still.find(picture.url));
    if (image) {
      context.globalAlpha = picture?.isLive && !fault ? 1 : 0.45;
      this.place(image).drawPicture(context, image);
      context.globalAlpha = 1;
    }
    const hint = fault ?? (picture?.isLive ? null : word(picture ? "notLive" : "noPicture"));
    this.hint.textContent = hint;
    this.hint.classList.toggle("fault", Boolean(fault));
    if (!hint && answer) this.drawHover(context, answer.facts);
    this.strip.draw(context, width, height);
    this.presets.draw();
    this.updateNote();
  }

  drawHover(context, { face, eyes }) {
    const zone = this.dragged?.zone ?? this.hover;
    const ellipses = {
      eyes: eyes.map((box) => this.eye(box)), face: [this.ellipse(face)], around: [this.ellipse(face, 1.15)],
    }[zone] ?? [];
    context.strokeStyle = HINT_COLOR;
    context.setLineDash(zone === "around" ? [4, 4] : []);
    context.lineWidth = 1;
    for (const { x, y, rx, ry } of ellipses) {
      context.beginPath();
      context.ellipse(x, y, rx, ry, 0, 0, 2 * Math.PI);
      context.stroke();
    }
    context.setLineDash([]);
  }

  updateNote() {
    const { fault } = this.presets, { answer } = this.question;
    const isBeyond = !this.question.fault && answer?.facts.is_beyond;
    this.note.textContent = fault ?? (isBeyond ? word("beyond") : "");
    this.note.title = fault ?? (isBeyond ? word("whyBeyond") : "");
    this.canvas.title = answer ? word("help") : "";
  }
}
