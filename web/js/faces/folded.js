// A picker that stands on its node only while there is something to pick: several faces, or a choice
// that means none of them.
import { LOOK_EVERY_MS, onRemoved } from "../base/editor.js";
import { FacePicker } from "./faces.js";
import { FaceSource } from "./source.js";

const HEIGHT = 200;

export class FoldedPicker {
  constructor(node, inputName) {
    this.node = node;
    this.picker = null;
    this.source = new FaceSource(node, inputName);
    this.source.onChange = () => this.picker?.redraw();
    this.timer = setInterval(() => this.look(), LOOK_EVERY_MS);
    onRemoved(node, () => clearInterval(this.timer));
  }

  look() {
    const { source } = this;
    source.look();
    if (source.question.isAsking) return; // it stays as it is until the answer is there
    const view = source.view();
    const isNeeded = view
      ? view.boxes.length > 1 || source.choose(view) === null
      : source.hasIndex && source.isConnected; // a number of faces that nobody sees
    if (isNeeded && !this.picker) {
      this.picker = new FacePicker(this.node, source, { height: HEIGHT });
      this.node.setDirtyCanvas?.(true, true); // else the canvas may not place it yet
    } else if (!isNeeded) {
      this.picker?.remove();
      this.picker = null;
    }
  }
}
