// The faces of a picture, numbered as `face_index` counts them: a click chooses, a drag boxes by hand.
import { Editor } from "../base/editor.js";
import { make, makeButton } from "../base/elements.js";
import { clamp } from "../base/grammar.js";
import { Still } from "../base/picture.js";
import { makeWords } from "../base/words.js";
import { findSource } from "../base/wires.js";

const word = makeWords("faces");
const CHOSEN = "#ffd866", OTHER = "#d8dae3";
const DRAG_PX = 6, LEAST_BOX_PX = 8, LABEL_PX = 16;

export class FacePicker extends Editor {
  // `source` is a FaceSource; `hasBox` says that the node takes face_box and face_mask, too.
  constructor(node, source, { height, hasBox = false }) {
    super(node, "faces", height);
    this.source = source;
    this.still = new Still(() => this.redraw());
    this.hasBox = hasBox;
    this.pressed = null; // where the pointer went down
    this.corner = null; // where it has been dragged to
    this.near = null; // the face under the pointer
    this.note = make("output");
    this.drop = makeButton("✕", word("dropBox"), () => this.set("face_box", ""));
    this.bar.append(this.note, this.drop);
    if (hasBox) this.canvas.title = word("help");
    this.listen({
      pointerdown: this.press,
      pointermove: this.move,
      pointerup: this.release,
      pointercancel: this.cancel,
      pointerleave: () => this.approach(null),
    });
  }

  // State ----------------------------------------------------------------------------------------

  read() {
    this.source.look();
    const values = ["face", "face_index", "face_box"].map((name) => this.value(name));
    return JSON.stringify([values, this.source.isConnected, this.source.question.isAsking, this.isMasked()]);
  }

  isMasked() {
    return this.hasBox && Boolean(findSource(this.node, "face_mask"));
  }

  view() {
    const shown = this.source.view();
    return shown && { ...shown, frame: this.fit([0, 0, ...shown.size], shown.size) };
  }

  // Which box is meant: its number, "box", "mask", "whole", or null.
  chosen(view) {
    if (this.hasBox && this.value("face_box")?.trim()) return "box";
    return this.isMasked() ? "mask" : this.source.choose(view);
  }

  // The box by hand in pixels of the picture, or null where its text is none.
  handBox() {
    const numbers = String(this.value("face_box")).split(",").map(Number);
    return numbers.length === 4 && numbers.every(Number.isFinite) ? numbers : null;
  }

  // The smallest of the faces at a place, as small ones may lie before large ones.
  findFace({ boxes, frame }, at) {
    const [x, y] = frame.unplace(at);
    let nearest = null, least = Infinity;
    boxes.forEach(([left, top, right, bottom], number) => {
      const area = (right - left) * (bottom - top);
      if (x < left || x > right || y < top || y > bottom || area >= least) return;
      [nearest, least] = [number, area];
    });
    return nearest;
  }

  // Pointer --------------------------------------------------------------------------------------

  press(event) {
    if (event.button !== 0 || !this.view()) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.pressed = this.locate(event);
    this.corner = null;
  }

  move(event) {
    const view = this.view();
    if (!view) return;
    const at = this.locate(event);
    if (!this.pressed) return this.approach(this.findFace(view, at));
    const way = Math.hypot(at[0] - this.pressed[0], at[1] - this.pressed[1]);
    if (this.hasBox && (this.corner || way > DRAG_PX)) {
      this.corner = at;
      this.redraw();
    }
  }

  release(event) {
    const view = this.view();
    const box = this.dragBox();
    if (view && box) this.takeBox(view, box);
    else if (view && this.pressed && !this.corner) this.pick(this.findFace(view, this.locate(event)));
    this.cancel();
  }

  cancel() {
    this.pressed = this.corner = null;
    this.redraw();
  }

  approach(number) {
    if (number === this.near) return;
    this.near = number;
    this.redraw();
  }

  dragBox() {
    if (!this.pressed || !this.corner) return null;
    const [[x0, y0], [x1, y1]] = [this.pressed, this.corner];
    return [Math.min(x0, x1), Math.min(y0, y1), Math.max(x0, x1), Math.max(y0, y1)];
  }

  pick(number) {
    if (number === null) return;
    this.source.pick(number);
    if (this.hasBox) this.set("face_box", "");
  }

  takeBox({ frame, size }, [left, top, right, bottom]) {
    if (Math.min(right - left, bottom - top) < LEAST_BOX_PX) return;
    const corners = [[left, top], [right, bottom]].flatMap((at) =>
      frame.unplace(at).map((edge, axis) => Math.round(clamp(edge, 0, size[axis]))));
    if (corners[2] > corners[0] && corners[3] > corners[1]) this.set("face_box", corners.join(","));
  }

  // Drawing --------------------------------------------------------------------------------------

  draw(context, width, height) {
    context.clearRect(0, 0, width, height);
    const view = this.view();
    const chosen = view && this.chosen(view);
    this.drop.hidden = chosen !== "box";
    this.canvas.style.cursor = view && this.near !== null ? "pointer" : view && this.hasBox ? "crosshair" : "default";
    if (!view) return this.explain();
    const picture = this.still.find(view.url);
    if (picture) view.frame.drawPicture(context, picture);
    view.boxes.forEach((box, number) => {
      const place = view.frame.placeBox(box);
      this.drawBox(context, place, number === chosen ? CHOSEN : OTHER, number === this.near);
      if (view.boxes.length > 1) this.drawNumber(context, place, number, number === chosen);
    });
    const other = chosen === "box" ? this.handBox() : chosen === "whole" && [0, 0, ...view.size];
    if (other) this.drawBox(context, view.frame.placeBox(other), CHOSEN);
    if (this.corner) this.drawBox(context, this.dragBox(), CHOSEN);
    this.showNote(...this.report(view, chosen));
  }

  drawBox(context, [left, top, right, bottom], color, isNear = false) {
    for (const [style, line] of [["#000a", 4], [color, color === CHOSEN || isNear ? 2.5 : 1.25]]) {
      context.strokeStyle = style;
      context.lineWidth = line;
      context.strokeRect(left, top, right - left, bottom - top);
    }
  }

  drawNumber(context, [left, top], number, isChosen) {
    context.font = "bold 11px sans-serif";
    const text = String(number);
    const width = Math.max(context.measureText(text).width + 8, LABEL_PX);
    const y = Math.max(top - LABEL_PX, 0);
    context.fillStyle = isChosen ? CHOSEN : OTHER;
    context.fillRect(left - 1, y, width, LABEL_PX);
    context.fillStyle = "#17181c";
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillText(text, left - 1 + width / 2, y + LABEL_PX / 2);
  }

  explain() {
    const { question, isConnected } = this.source;
    if (question.fault) this.showNote(question.fault, true);
    else if (question.isAsking) this.showNote(word("wait"));
    else this.showNote(word(!isConnected ? "connect" : this.hasBox ? "run" : "unseen"));
  }

  // What is said below the picture, and whether it is a fault.
  report({ boxes }, chosen) {
    if (["box", "mask", "whole"].includes(chosen)) return [word(chosen)];
    if (!boxes.length) return [word(this.hasBox ? "noneBox" : "none"), true];
    if (chosen === null) return [word("index", this.value("face_index"), boxes.length, boxes.length - 1), true];
    return [boxes.length === 1 ? word("one") : word("many", boxes.length)];
  }
}
